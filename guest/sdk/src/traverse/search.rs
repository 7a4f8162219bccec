//! One image for a platform, by the strategy's judgement (oci-semantics, "Choosing in an index").

use portolan_oci::document::Entries;
use portolan_oci::{Descriptor, Kind, Mode, Platform, media_type};
use serde::Serialize;

use super::image::Image;
use super::platforms::{nearest_first, platforms};
use super::root::{Found, Root};
use super::{Bounds, prefetch};
use crate::failure::Failure;
use crate::host::Context;

/// How many entries without a platform are fetched ahead, side by side: most indexes have none, and the first may do.
const AHEAD: usize = 16;
/// How many platforms an error lists.
const LISTED: usize = 20;

/// The image below `root` that is best for `platform`.
///
/// In compat modes that is what BuildKit takes: the best entry, no second try, and a root that is a manifest as it is. In
/// the others every entry that may be right is tried, best first, and a manifest must be what its config says.
///
/// # Errors
/// No image for that platform, with the platforms that are there; what the host answers.
pub fn select(ctx: &impl Context, root: &Root, platform: &Platform, mode: Mode) -> Result<Image, Failure> {
    let mut search = Search::new(ctx, &root.repository, platform, mode);
    let found = match Image::of_root(root) {
        None => search.root(&root.descriptor, &root.bytes)?,
        Some(image) if mode.is_compat() || search.suits(&image)? => Some(image),
        Some(_) => None,
    };
    found.ok_or_else(|| nothing(ctx, root, platform, mode))
}

impl Found {
    /// [`open`](Found::open) and [`select`] in one, for who wants nothing else of the root: of a long index no more is read
    /// than the choice needs.
    ///
    /// # Errors
    /// Those of both.
    pub fn select(self, ctx: &impl Context, platform: &Platform, mode: Mode) -> Result<Image, Failure> {
        if self.descriptor.kind() != Kind::Index {
            return select(ctx, &self.open(ctx)?, platform, mode);
        }
        let bytes = ctx.fetch(&self.repository, &self.descriptor)?;
        match Search::new(ctx, &self.repository, platform, mode).root(&self.descriptor, &bytes)? {
            Some(image) => Ok(image),
            None => Err(nothing(ctx, &self.read(bytes)?, platform, mode)),
        }
    }
}

/// The image for each of `platforms`, in their order, each image once.
///
/// # Errors
/// Those of [`select`], for the first platform that has none.
pub fn select_all(ctx: &impl Context, root: &Root, platforms: &[Platform], mode: Mode) -> Result<Vec<Image>, Failure> {
    let mut chosen: Vec<Image> = Vec::with_capacity(platforms.len());
    for platform in platforms {
        let image = select(ctx, root, platform, mode)?;
        if chosen.iter().all(|known| known.descriptor.digest != image.descriptor.digest) {
            chosen.push(image);
        }
    }
    Ok(chosen)
}

struct Search<'a, C> {
    ctx: &'a C,
    repository: &'a str,
    platform: String,
    backtracks: bool,
    mode: Mode,
    bounds: Bounds,
}

impl<'a, C: Context> Search<'a, C> {
    fn new(ctx: &'a C, repository: &'a str, platform: &Platform, mode: Mode) -> Self {
        let (platform, bounds) = (platform.long(), Bounds::default());
        Search { ctx, repository, platform, backtracks: !mode.is_compat(), mode, bounds }
    }

    fn root(&mut self, descriptor: &Descriptor, bytes: &[u8]) -> Result<Option<Image>, Failure> {
        self.bounds.enter(descriptor, 0)?;
        self.index(bytes, 0)
    }

    fn index(&mut self, bytes: &[u8], depth: usize) -> Result<Option<Image>, Failure> {
        let mut positions = self.ctx.select(bytes, &self.platform, self.mode)?;
        if !self.backtracks {
            positions.truncate(1);
        }
        let entries = Entries::parse(bytes)?;
        if positions.len() > entries.len() {
            let (chosen, there) = (positions.len(), entries.len());
            return Err(Failure::new(format!("the strategy chose {chosen} entries of an index that has {there}")));
        }
        for (place, &position) in positions.iter().enumerate() {
            let entry = candidate(&entries, position)?;
            if place == 0 && entry.platform.is_none() {
                self.look_ahead(&entries, &positions)?;
            }
            if let Some(image) = self.entry(&entry, depth + 1)? {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }

    fn entry(&mut self, entry: &Descriptor, depth: usize) -> Result<Option<Image>, Failure> {
        match entry.kind() {
            Kind::Index => {
                if !self.bounds.enter(entry, depth)? {
                    return Ok(None);
                }
                self.bounds.read()?;
                let bytes = self.ctx.fetch(self.repository, entry)?;
                self.index(&bytes, depth)
            }
            Kind::Manifest => {
                self.bounds.read()?;
                let image = Image::fetch(self.ctx, self.repository, entry)?;
                Ok(match entry.platform.is_some() || self.suits(&image)? {
                    true => Some(image),
                    false => None,
                })
            }
            // A strategy may let them pass; they are no images.
            _ => Ok(None),
        }
    }

    /// Whether the image is for the platform by its config: judged as if an index said of it what the config says.
    fn suits(&mut self, image: &Image) -> Result<bool, Failure> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct AsIndex {
            schema_version: u32,
            media_type: &'static str,
            manifests: [Descriptor; 1],
        }
        if !image.manifest.is_image() {
            return Ok(false);
        }
        self.bounds.read()?;
        let platform = image.config(self.ctx)?.config.platform.clone();
        let entry = Descriptor { platform: Some(platform), ..image.descriptor.bare() };
        let index = AsIndex { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: [entry] };
        let bytes = serde_json::to_vec(&index).map_err(|error| Failure::new(error.to_string()))?;
        Ok(!self.ctx.select(&bytes, &self.platform, self.mode)?.is_empty())
    }

    /// Starts the host on entries that must be read to be judged, where there are several.
    fn look_ahead(&self, entries: &Entries<'_>, positions: &[u32]) -> Result<(), Failure> {
        let some: Vec<Descriptor> = positions
            .iter()
            .take(AHEAD)
            .map(|&position| candidate(entries, position).map(|entry| entry.bare()))
            .collect::<Result<_, _>>()?;
        prefetch(self.ctx, self.repository, &some);
        Ok(())
    }
}

fn candidate(entries: &Entries<'_>, position: u32) -> Result<Descriptor, Failure> {
    entries.get(position as usize)?.ok_or_else(|| {
        let there = entries.len();
        Failure::new(format!("the strategy chose entry {position} of an index that has {there}"))
    })
}

fn nothing(ctx: &impl Context, root: &Root, platform: &Platform, mode: Mode) -> Failure {
    let failure = Failure::not_found(format!("{} has no image for {}", root.name(), platform.long()));
    // Whatever keeps the list from being made, the search ended well: the answer is that there is none.
    let there = nearest_first(platforms(ctx, root).unwrap_or_default(), platform, ctx);
    let more = there.len().saturating_sub(LISTED);
    let mut listed = there.iter().take(LISTED).map(Platform::long).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed.push_str(&format!(" and {more} more"));
    }
    match (listed.is_empty(), mode) {
        (true, _) => failure.hint("there is no image in it for any platform"),
        (false, Mode::Exact) => failure.hint(format!("without fallbacks; it is there for {listed}")),
        (false, _) => failure.hint(format!("it is there for {listed}")),
    }
}
