//! Which entries of an index are for a platform, best first.

use std::cmp::Ordering;

use super::matcher::{Matcher, Rank};
use super::{Platform, windows};
use crate::document::{Index, Outline};
use crate::mode::Mode;

/// Positions in the index's `manifests`, best first. Entries without a platform, which only their config or their own
/// entries can judge, come last.
pub fn select(index: &Index, wanted: &Platform, machine: &Platform, mode: Mode) -> Vec<usize> {
    let entries: Vec<Option<Option<&Platform>>> =
        index.manifests.iter().map(|entry| eligible(entry.may_be_image(), entry.platform.as_ref(), mode)).collect();
    choose(&entries, wanted, machine, mode)
}

/// The same from an index of which only that much was read.
pub fn select_in(index: &Outline<'_>, wanted: &Platform, machine: &Platform, mode: Mode) -> Vec<usize> {
    let entries: Vec<Option<Option<&Platform>>> =
        index.manifests.iter().map(|entry| eligible(entry.may_be_image(), entry.platform.as_ref(), mode)).collect();
    choose(&entries, wanted, machine, mode)
}

/// What an entry says of its platform, if the entry counts at all.
fn eligible(may_be_image: bool, platform: Option<&Platform>, mode: Mode) -> Option<Option<&Platform>> {
    (mode.is_compat() || may_be_image).then_some(platform)
}

fn choose(entries: &[Option<Option<&Platform>>], wanted: &Platform, machine: &Platform, mode: Mode) -> Vec<usize> {
    let matcher = Matcher::new(wanted, machine, mode == Mode::Exact);
    let mut ranked: Vec<(Option<Rank>, usize)> = entries
        .iter()
        .enumerate()
        .filter_map(|(position, entry)| match (*entry)? {
            None => Some((None, position)),
            Some(platform) => Some((Some(matcher.rank(platform)?), position)),
        })
        .collect();
    let platform = |position: usize| (*entries.get(position)?)?;
    ranked.sort_by(|left, right| better(&matcher, mode, *left, *right, platform));
    ranked.into_iter().map(|(_, position)| position).collect()
}

/// All of `platforms` by position, those that match first, best first, each with whether it matches.
pub fn order(platforms: &[Platform], wanted: &Platform, machine: &Platform, mode: Mode) -> Vec<(usize, bool)> {
    let matcher = Matcher::new(wanted, machine, mode == Mode::Exact);
    let mut ranked: Vec<(Option<Rank>, usize)> =
        platforms.iter().enumerate().map(|(position, platform)| (matcher.rank(platform), position)).collect();
    ranked.sort_by(|left, right| better(&matcher, mode, *left, *right, |position| platforms.get(position)));
    ranked.into_iter().map(|(rank, position)| (position, rank.is_some())).collect()
}

/// Better is less. Sorting must be stable: what is equal stays in the file's order.
fn better<'a>(
    matcher: &Matcher,
    mode: Mode,
    (left, left_at): (Option<Rank>, usize),
    (right, right_at): (Option<Rank>, usize),
    platform: impl Fn(usize) -> Option<&'a Platform>,
) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => left.cmp(&right).then_with(|| match mode.is_compat() || !matcher.is_windows() {
            true => Ordering::Equal,
            false => {
                let version = |position| platform(position).map_or("", |platform| platform.os_version.as_str());
                windows::newer(version(right_at), version(left_at))
            }
        }),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
