//! The bundled frontend `layers`: what an image is made of, and by what to know it again.
//!
//! A layer has three names. Its *digest* is of the compressed blob and changes with the compressor; its *diff-id* is of the
//! content; its *chain-id* is of the content and all that lies below it, and is the one to key a cache by
//! (moby/buildkit#4854). All three are told by manifest and config: no layer is ever fetched.

mod json;
mod text;

use portolan_oci::stack::{self, Layer};
use portolan_oci::{Config, Descriptor, Digest, Platform};
use portolan_sdk::traverse::{self, Root};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};

/// The frontend.
#[derive(Debug)]
pub struct Layers;

#[cfg(not(feature = "judged"))]
portolan_sdk::frontend!(Layers);
#[cfg(feature = "judged")]
portolan_sdk::frontend!(Layers, portolan_strategy::Bundled);

/// By what a layer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Digest,
    DiffId,
    ChainId,
}

/// An image, or an artifact.
#[derive(Debug)]
struct Image {
    /// Normalised; an artifact has none.
    platform: Option<Platform>,
    manifest: Descriptor,
    /// Where the config is, whatever it is.
    config: Descriptor,
    /// What the config says; an artifact's says nothing of layers.
    told: Option<Config>,
    /// From the lowest up.
    layers: Vec<Layer>,
}

impl Frontend for Layers {
    fn describe() -> Info {
        Info {
            name: "layers",
            version: env!("CARGO_PKG_VERSION"),
            summary: "List an image's layers: digests, diff-ids, chain-ids, sizes",
            parameters: vec![
                Parameter::pull_reference("ref", "The image").positional().required(),
                Parameter::text("platform", "Only the images for these platforms").short('p').repeated(),
                Parameter::flag("last", "Only the topmost layer's key"),
                Parameter::choice(
                    "key",
                    &["digest", "diff-id", "chain-id"],
                    "Only this of each layer; with --last it is digest where nothing is said",
                ),
                Parameter::flag("history", "The steps of the image's making, each with the layer it left behind"),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let key = match request.text("key") {
            Some("diff-id") => Some(Key::DiffId),
            Some("chain-id") => Some(Key::ChainId),
            Some(_) => Some(Key::Digest),
            None => None,
        };
        let (last, history) = (request.flag("last"), request.flag("history"));
        if history && (last || key.is_some()) {
            let refused = Failure::new("--history lists all steps, --last and --key pick from the layers");
            return Err(refused.hint("leave out --history, or the other two"));
        }
        let root = traverse::resolve(ctx, &request.location("ref")?, request.mode())?;
        let mut images = read(ctx, &root, &request.platforms("platform", ctx)?, &request)?;
        if last {
            images.iter_mut().try_for_each(Image::keep_last)?;
        }
        if request.format() == "json" {
            return Response::json(&json::json(&root.name(), &images, history));
        }
        Ok(Response::text(match (last, key) {
            (_, Some(key)) => text::keys(&images, key)?,
            (true, None) => text::keys(&images, Key::Digest)?,
            _ if history => text::history(&images),
            _ => text::layers(&images),
        }))
    }
}

/// The images that the platforms choose, or all; the artifact that the root is, where it is one.
fn read(ctx: &impl Context, root: &Root, platforms: &[Platform], request: &Request) -> Result<Vec<Image>, Failure> {
    let images = match platforms {
        [] => traverse::images(ctx, root)?,
        some => traverse::select_all(ctx, root, some, request.mode())?,
    };
    let configs: Vec<Descriptor> = images.iter().map(|image| image.manifest.config.bare()).collect();
    traverse::prefetch(ctx, &root.repository, &configs);
    let images = images.into_iter().map(|image| Image::read(ctx, image)).collect::<Result<Vec<_>, _>>()?;
    match root.manifest() {
        Some(manifest) if !manifest.is_image() => Ok(vec![Image {
            platform: None,
            manifest: root.descriptor.clone(),
            config: manifest.config.clone(),
            told: None,
            layers: stack::layers(manifest, None)?,
        }]),
        None if images.is_empty() => {
            let failure = Failure::not_found(format!("{} is an index without images", root.name()));
            Err(failure.hint(format!("portolan inspect {} shows what is in it", root.name())))
        }
        _ => Ok(images),
    }
}

impl Image {
    fn read(ctx: &impl Context, image: traverse::Image) -> Result<Image, Failure> {
        let told = image.config(ctx)?.config.clone();
        let layers = stack::layers(&image.manifest, Some(&told))
            .map_err(|malformed| Failure::from(malformed).context(&image.descriptor.digest))?;
        let platform = Some(image.platform(ctx)?);
        Ok(Image { platform, manifest: image.descriptor, config: image.manifest.config, told: Some(told), layers })
    }

    fn keep_last(&mut self) -> Result<(), Failure> {
        let Some(last) = self.layers.pop() else {
            return Err(Failure::new(format!("{} has no layers, and so no last one", self.label())));
        };
        self.layers = vec![last];
        Ok(())
    }

    /// How people tell it from the others: its platform, else its digest.
    fn label(&self) -> String {
        self.platform.as_ref().map_or_else(|| self.manifest.digest.to_string(), Platform::long)
    }
}

impl Key {
    fn of(self, layer: &Layer) -> Option<&Digest> {
        match self {
            Key::Digest => Some(&layer.descriptor.digest),
            Key::DiffId => layer.diff_id.as_ref(),
            Key::ChainId => layer.chain_id.as_ref(),
        }
    }
}
