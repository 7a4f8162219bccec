//! The bundled frontend `copy`: images from anywhere to anywhere, byte for byte.
//!
//! What is copied is everything below the root, and what refers to any of it: signatures, attestations, SBOMs, and what
//! refers to those. Bytes never come here: this frontend reads indexes and manifests to know what there is, and the host
//! moves it, names last. A copy that was broken off is begun again by the same words; what had arrived stays.
//!
//! A target without a tag gets the source's, else `latest`; a store keeps the source's full name where it has one. One with
//! a digest must be what is written: it fails before anything is.

mod answer;
mod load;
mod narrow;
mod tags;
mod target;

use portolan_sdk::oci::{Descriptor, Document, Location, Mode, Platform};
use portolan_sdk::traverse::{self, Image, Root};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};

use answer::Answer;
use load::Load;
use narrow::Narrowed;
use target::{Target, source_name};

/// The frontend.
#[derive(Debug)]
pub struct Copy;

#[cfg(not(feature = "judged"))]
portolan_sdk::frontend!(Copy);
#[cfg(feature = "judged")]
portolan_sdk::frontend!(Copy, portolan_strategy::Bundled);

impl Frontend for Copy {
    fn describe() -> Info {
        Info {
            name: "copy",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Copy an image with everything that belongs to it, byte for byte",
            parameters: vec![
                Parameter::pull_reference("src", "What to copy").positional().required(),
                Parameter::push_reference(
                    "dst",
                    "Where to; without a tag the source's, else latest; with a digest only if that is what is written",
                )
                .positional()
                .required(),
                Parameter::text(
                    "platform",
                    "Keep of an index the entries for exactly these platforms, their attestations, and entries without a \
                     platform",
                )
                .short('p')
                .repeated(),
                Parameter::flag("single", "Take out one image, for --platform or this machine, and copy it without its index"),
                Parameter::flag("all-tags", "All tags of a repository or names of a store, to where the same tags are given")
                    .short('a'),
                Parameter::flag("no-referrers", "Leave behind what refers to the image: signatures, attestations and the like"),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let asked = Asked::read(ctx, &request)?;
        ctx.may_push(&asked.target.repository())?;
        let answer = match asked.all_tags {
            true => tags::copy(ctx, &asked)?,
            false => one(ctx, &asked)?,
        };
        answer.respond(request.format())
    }
}

/// What is to be done.
struct Asked {
    source: Location,
    target: Location,
    platforms: Vec<Platform>,
    single: bool,
    all_tags: bool,
    referrers: bool,
    mode: Mode,
}

impl Asked {
    fn read(ctx: &impl Context, request: &Request) -> Result<Self, Failure> {
        let asked = Asked {
            source: request.location("src")?,
            target: request.location("dst")?,
            platforms: request.platforms("platform", ctx)?,
            single: request.flag("single"),
            all_tags: request.flag("all-tags"),
            referrers: !request.flag("no-referrers"),
            mode: request.mode(),
        };
        if asked.single && asked.platforms.len() > 1 {
            return Err(Failure::new("--single takes out one image, and several platforms are given")
                .hint("leave --single out to keep an index of them, or copy one by one"));
        }
        if asked.all_tags && (asked.single || !asked.platforms.is_empty()) {
            return Err(Failure::new("--all-tags copies images whole: --single and --platform are for one image")
                .hint("copy the tags one by one; portolan tags lists them"));
        }
        Ok(asked)
    }
}

/// Copies one image.
fn one(ctx: &impl Context, asked: &Asked) -> Result<Answer, Failure> {
    let found = traverse::find(ctx, &asked.source, asked.mode)?;
    let target = Target::of(&asked.target, source_name(&found).as_ref())?;
    let root = found.open(ctx)?;
    let (root, made) = chosen(ctx, asked, root)?;
    target.expect(&root.descriptor.digest)?;

    let mut load = Load::new(&root.repository);
    let documents = match &made {
        None => load.below(ctx, std::slice::from_ref(&root.descriptor)),
        Some(kept) => load.below(ctx, kept),
    }
    .map_err(|failure| failure.context(format_args!("cannot copy {}", root.name())))?;
    if asked.referrers {
        load.referrers(ctx, &documents)?;
    }
    match &made {
        None => load.send(ctx, &target.repository, &[(root.descriptor.bare(), target.name.clone())])?,
        Some(_) => {
            load.send(ctx, &target.repository, &[])?;
            ctx.push(&target.repository, target.name.as_deref(), &root.descriptor, &root.bytes)?;
            load.count_made(&root.descriptor);
        }
    }
    Ok(Answer::one(&asked.source, &target, &root, traverse::platforms(ctx, &root)?, load))
}

/// What the target's root is going to be, and of an index that is made for it the entries that it keeps.
fn chosen(ctx: &impl Context, asked: &Asked, root: Root) -> Result<(Root, Option<Vec<Descriptor>>), Failure> {
    if asked.single {
        let wanted = asked.platforms.first().cloned();
        if root.manifest().is_some() && wanted.is_none() {
            return Ok((root, None));
        }
        let wanted = wanted.unwrap_or_else(|| ctx.platform());
        let Image { descriptor, bytes, manifest, .. } = traverse::select(ctx, &root, &wanted, asked.mode)?;
        return Ok((Root { descriptor, bytes, document: Document::Manifest(manifest), ..root }, None));
    }
    match narrow::narrow(ctx, &root, &asked.platforms)? {
        None => Ok((root, None)),
        Some(Narrowed { descriptor, bytes, index }) => {
            let kept = index.manifests.clone();
            Ok((Root { descriptor, bytes, document: Document::Index(index), ..root }, Some(kept)))
        }
    }
}
