//! The typed question of build hosts (BuildKit's ResolveImageConfig, with index and manifest beside the config), in one
//! call: no arguments, no JSON.

use std::sync::Arc;
use std::time::Duration;

use portolan_oci::{Descriptor, Location};

use super::fault::RunError;
use super::guest::{Guest, Skewed, within};
use super::run::Run;
use super::terms::Terms;
use super::{Bundled, Component, Frontend, Host};
use crate::audit::Audit;
use crate::bindings::image_resolver as wire;
use crate::limits::Limits;
use crate::session::checked;
use crate::session::grants::Grants;
use crate::source::{Registries, Source};

/// What is asked. The repository of its reference is granted, and nothing else is, where nobody says otherwise.
#[derive(Clone)]
pub struct ImageQuery {
    reference: String,
    platform: Option<String>,
    parts: wire::Parts,
    options: Vec<(String, String)>,
    resolver: Option<Frontend>,
    /// Somebody said what it may touch.
    granted: bool,
    terms: Terms,
}

impl ImageQuery {
    /// `[docker://|oci://]NAME[:TAG][@DIGEST]` or `oci-layout://STORE…`; for the host's platform.
    pub fn new(reference: impl Into<String>) -> Self {
        ImageQuery {
            reference: reference.into(),
            platform: None,
            parts: wire::Parts::empty(),
            options: Vec::new(),
            resolver: None,
            granted: false,
            terms: Terms::default(),
        }
    }

    /// `os[(version+features)]/arch[/variant]`.
    #[must_use]
    pub fn platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    /// The index's bytes are wanted, not only its descriptor.
    #[must_use]
    pub fn with_index(mut self) -> Self {
        self.parts |= wire::Parts::INDEX;
        self
    }

    /// The manifest's bytes are wanted.
    #[must_use]
    pub fn with_manifest(mut self) -> Self {
        self.parts |= wire::Parts::MANIFEST;
        self
    }

    /// The config's bytes are wanted.
    #[must_use]
    pub fn with_config(mut self) -> Self {
        self.parts |= wire::Parts::CONFIG;
        self
    }

    /// An option, such as `mode` or `expect-digest`.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// A store that the reference may name.
    #[must_use]
    pub fn store(mut self, name: impl Into<String>, source: Arc<dyn Source>) -> Self {
        self.terms.store(name.into(), source);
        self
    }

    /// Who is told what the run does, and may end it.
    #[must_use]
    pub fn audit(mut self, audit: Audit) -> Self {
        self.terms.audit = audit;
        self
    }

    /// What it may touch, in the place of what its reference names.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.granted = true;
        self.terms.grants = grants;
        self
    }

    /// How registries are reached, in the place of the host's way: another user's credentials, other hosts.
    #[must_use]
    pub fn registry(mut self, registries: impl Registries + 'static) -> Self {
        self.terms.registries = Some(Arc::new(registries));
        self
    }

    /// Other limits than the host's. With the pooling allocator memory is bounded by the host's as well.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.terms.limits = Some(Arc::new(limits));
        self
    }

    /// How long it may take, waiting included; without this it is the limits' for a foreign frontend, and without end for the
    /// bundled one.
    #[must_use]
    pub fn wall_clock(mut self, limit: Duration) -> Self {
        self.terms.wall_clock = Some(Some(limit));
        self
    }

    /// Another frontend than the bundled one; it must export `image-resolver`.
    #[must_use]
    pub fn resolver(mut self, frontend: &Frontend) -> Self {
        self.resolver = Some(frontend.clone());
        self
    }
}

/// A document: what it is, and its bytes where they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What it is.
    pub descriptor: Descriptor,
    /// As stored.
    pub bytes: Option<Vec<u8>>,
}

/// The image for a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Where it lives.
    pub repository: String,
    /// What was chosen.
    pub platform: String,
    /// Absent where the reference points straight at a manifest.
    pub index: Option<Content>,
    /// Of the platform.
    pub manifest: Content,
    /// Of the platform.
    pub config: Content,
    /// All that the image is there for.
    pub platforms: Vec<String>,
}

impl Host {
    /// Resolves an image in one call.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn resolve_image(&self, query: ImageQuery) -> Result<Image, RunError> {
        let ImageQuery { reference, platform, parts, options, resolver, granted, mut terms } = query;
        let frontend = match resolver {
            Some(frontend) => frontend,
            None => self.load(Component::Bundled(Bundled::Resolve)).await.map_err(RunError::Load)?,
        };
        // What does not parse grants nothing, and the frontend says why it does not.
        if !granted && let Ok(location) = Location::parse(&reference) {
            terms.grants = Grants::new().pull_reference(&location);
        }
        let run = Run { frontend: frontend.clone(), arguments: Vec::new(), terms };
        let mut guest = Guest::new(self, run).await?;
        let Some(resolver) = frontend.loaded.resolver.as_ref() else {
            let broken = guest.broken("it exports no `portolan:oci/image-resolver`".into());
            return guest.told(Err(broken));
        };
        let query = wire::Query { reference, platform, parts, options };
        let wall_clock = guest.wall_clock();
        let image = within(wall_clock, async {
            let instance = guest.instance().await?;
            let resolver = resolver.load(&mut guest.store, &instance).map_err(Skewed::from)?;
            resolver.call_resolve_image(&mut guest.store, &query).await
        })
        .await;
        let image = match guest.ended(image) {
            Ok(Ok(image)) => Image::taken(image).map_err(|error| RunError::Content { frontend: guest.name(), error }),
            Ok(Err(failure)) => Err(guest.failed(failure)),
            Err(error) => Err(error),
        };
        guest.told(image)
    }
}

impl Image {
    fn taken(image: wire::Image) -> crate::Result<Self> {
        let wire::Image { repository, platform, index, manifest, config, platforms } = image;
        let content = |content: wire::Content| {
            let wire::Content { descriptor, bytes } = content;
            Ok(Content { descriptor: checked(descriptor, "resolve", &repository)?, bytes })
        };
        Ok(Image {
            platform,
            index: index.map(content).transpose()?,
            manifest: content(manifest)?,
            config: content(config)?,
            platforms,
            repository: repository.clone(),
        })
    }
}
