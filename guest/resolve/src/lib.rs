//! The bundled frontend `resolve`: from a reference to root, manifest and config.
//!
//! A command for people and scripts, and the typed question of build hosts (BuildKit's ResolveImageConfig). It reads as
//! little as the answer needs: a root's digest is one question and no document.
//!
//! Not here: anything about layers, attestations and what is in a config; `layers` and `inspect` say that.

mod answer;

use portolan_sdk::oci::{Descriptor, Mode, Platform};
use portolan_sdk::traverse::{self, Image, Root};
use portolan_sdk::{
    Content, Context, Failure, Frontend, ImageResolver, Info, Level, Parameter, Query, Request, ResolvedImage,
    Response, code,
};

use answer::Answer;

/// The frontend.
#[derive(Debug, Clone, Copy)]
pub struct Resolve;

impl Frontend for Resolve {
    fn describe() -> Info {
        Info {
            name: "resolve",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Show what a reference means: its root, and a platform's manifest and config",
            parameters: vec![
                Parameter::pull_reference("ref", "The image").positional().required(),
                Parameter::text("platform", "The platform whose manifest is meant, such as linux/arm64").short('p'),
                Parameter::choice("part", &["index", "manifest", "config"], "Print this document, byte for byte"),
                Parameter::flag("digest", "Print the digest alone"),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let asked = request.location("ref")?;
        let platform = request.platform("platform", ctx)?;
        let bare = request.flag("digest");
        let found = traverse::find(ctx, &asked, request.mode())?;
        let name = found.name();
        let part = request.text("part");
        // Most questions are after one digest, and need no more than what leads to it.
        if part.is_none() && (bare || request.format() == "text") {
            let root = found.descriptor.digest.clone();
            let meant = match &platform {
                None => found.descriptor,
                Some(platform) => found.select(ctx, platform, request.mode())?.descriptor,
            };
            let text = if bare { meant.digest.to_string() } else { traverse::pinned(&asked, &root, &meant.digest) };
            return Ok(answered(Response::text(text), &name, &meant));
        }

        let root = found.open(ctx)?;
        let image = chosen(ctx, &root, platform.as_ref(), request.mode())?;
        let meant = match part {
            None => image.as_ref().map_or(&root.descriptor, |image| &image.descriptor),
            Some(part) => descriptor_of(ctx, part, &root, image.as_ref())?,
        };
        let response = match part {
            _ if bare => Response::text(meant.digest.as_str()),
            Some("config") => Response::bytes(&meant.media_type, ctx.fetch(&root.repository, meant)?),
            Some("manifest") => {
                let bytes = image.as_ref().map(|image| image.bytes.clone()).unwrap_or_default();
                Response::bytes(&meant.media_type, bytes)
            }
            Some(_) => Response::bytes(&meant.media_type, root.bytes.clone()),
            None => Response::json(&Answer::new(ctx, &root, image.as_ref())?)?,
        };
        Ok(answered(response, &name, meant))
    }
}

impl ImageResolver for Resolve {
    fn resolve_image(ctx: &impl Context, query: Query) -> Result<ResolvedImage, Failure> {
        let Query { reference, platform, parts, options } = query;
        let mut mode = Mode::default();
        let mut expected = None;
        for (name, value) in options {
            match name.as_str() {
                "mode" => mode = value.parse().map_err(|error| Failure::new(format!("mode: {error}")))?,
                "expect-digest" => expected = Some(value),
                _ => ctx.log(Level::Warn, &format!("resolve knows no option {name:?}; it is passed over")),
            }
        }
        let root = traverse::resolve(ctx, &reference.parse()?, mode)?;
        if let Some(expected) = expected.filter(|expected| expected != root.descriptor.digest.as_str()) {
            let message = format!("{} is {}, and {expected} was expected", root.name(), root.descriptor.digest);
            return Err(Failure::of(code::DIGEST_MISMATCH, message));
        }
        let machine = ctx.platform();
        let asked = match &platform {
            Some(text) => Some(Platform::parse(text, &machine)?),
            None => root.index().map(|_| machine),
        };
        let Some(image) = chosen(ctx, &root, asked.as_ref(), mode)? else {
            return Err(Failure::not_found(format!("{} has no image", root.name())));
        };
        let platform = image.platform(ctx)?.long();
        let config = parts.config.then(|| image.config(ctx).map(|stored| stored.bytes.clone())).transpose()?;
        let platforms = traverse::platforms(ctx, &root)?;
        let content = |descriptor: &Descriptor, bytes| Content { descriptor: descriptor.bare(), bytes };
        Ok(ResolvedImage {
            platform,
            index: root.index().map(|_| content(&root.descriptor, parts.index.then(|| root.bytes.clone()))),
            manifest: content(&image.descriptor, parts.manifest.then(|| image.bytes.clone())),
            config: content(&image.manifest.config, config),
            platforms: platforms.iter().map(Platform::long).collect(),
            repository: root.repository,
        })
    }
}

/// The image for a platform; where none was asked for, the root if it is one.
fn chosen(ctx: &impl Context, root: &Root, platform: Option<&Platform>, mode: Mode) -> Result<Option<Image>, Failure> {
    match platform {
        Some(platform) => traverse::select(ctx, root, platform, mode).map(Some),
        None => Ok(Image::of_root(root)),
    }
}

fn descriptor_of<'a>(
    ctx: &impl Context,
    part: &str,
    root: &'a Root,
    image: Option<&'a Image>,
) -> Result<&'a Descriptor, Failure> {
    match (part, image) {
        ("index", _) if root.index().is_some() => Ok(&root.descriptor),
        ("index", _) => Err(Failure::not_found(format!("{} has no index: it points at a manifest", root.name()))),
        ("config", Some(image)) => Ok(&image.manifest.config),
        (_, Some(image)) => Ok(&image.descriptor),
        (part, None) => {
            let there = traverse::platforms(ctx, root)?;
            let there = there.iter().map(Platform::long).collect::<Vec<_>>().join(", ");
            let failure = Failure::new(format!("{} is an index: it has no {part} without a platform", root.name()));
            Err(failure.hint(format!("add --platform; it is there for {there}")))
        }
    }
}

fn answered(response: Response, name: &str, meant: &Descriptor) -> Response {
    response.metadata("image.name", name).metadata("image.digest", meant.digest.as_str())
}

#[cfg(not(feature = "judged"))]
portolan_sdk::resolver!(Resolve);
#[cfg(feature = "judged")]
portolan_sdk::resolver!(Resolve, portolan_strategy::Bundled);
