//! All tags of a repository of a registry.

use std::collections::BTreeSet;

use crate::failure::{Failure, code};
use crate::host::Host;

/// How many pages of tags are asked for.
const PAGES: usize = 1_000;

/// The tags of a repository, page by page, in the registry's order, each once.
///
/// # Errors
/// What the host answers; a list that does not end.
pub fn tags(ctx: &impl Host, repository: &str) -> Result<Vec<String>, Failure> {
    let mut tags = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = None;
    for _ in 0..PAGES {
        let page = ctx.tags(repository, next.as_deref())?;
        tags.extend(page.tags.into_iter().filter(|tag| seen.insert(tag.clone())));
        match page.next {
            None => return Ok(tags),
            following => next = following,
        }
    }
    Err(Failure::of(
        code::TOO_LARGE,
        format!("cannot list the tags of {repository}: they fill more than {PAGES} pages"),
    ))
}
