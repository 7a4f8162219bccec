//! What both doors ask: names by the frontend that answers them, content by its digest, and whether the caller may.
//!
//! Not here: how a question comes in and how its answer leaves.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use portolan_oci::{Descriptor, Digest, Location, Reference};

use super::caller::Caller;
use super::metrics::Metrics;
use super::problem::{Problem, Result};
use crate::engine::{Answer, Bundled, Component, Frontend, Host, Image, ImageQuery, Run};
use crate::error::Code;
use crate::limits::Limits;
use crate::progress::Progress;
use crate::session::grants::Grants;
use crate::source::{ByteStream, Registries, Source, TagPage, Target};

/// Repositories of which is remembered how they are reached.
const REPOSITORIES: usize = 1_024;
/// What a frontend that answers for tags says its answer by.
const DIGEST: &str = "image.digest";

/// Who answers what a tag means: a frontend that takes a `ref`, and whose answer has the metadatum `image.digest`.
#[derive(Clone)]
pub(super) struct Tags {
    pub(super) frontend: Frontend,
    /// What it is told besides.
    pub(super) arguments: Vec<(String, String)>,
}

pub(super) struct Gateway {
    pub(super) host: Host,
    pub(super) registries: Arc<dyn Registries>,
    pub(super) limits: Arc<Limits>,
    pub(super) tags: Tags,
    /// Those that may be run besides the bundled ones, by their names.
    pub(super) frontends: BTreeMap<String, Frontend>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) sources: Mutex<HashMap<String, Arc<dyn Source>>>,
}

/// What a reference means.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) repository: String,
    pub(super) root: Descriptor,
}

/// What of an image is wanted, for whom.
pub(super) struct Wanted {
    pub(super) reference: String,
    pub(super) platform: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) index: bool,
    pub(super) manifest: bool,
    pub(super) config: bool,
}

impl Gateway {
    /// The root that a reference means now.
    pub(super) async fn resolve(&self, caller: &Caller, reference: &Reference) -> Result<Found> {
        let source = self.readable(caller, reference)?;
        let repository = reference.repository();
        let digest = match &reference.digest {
            Some(digest) => digest.clone(),
            None => self.tag(reference).await?,
        };
        let root = source.resolve(Target::Digest(&digest), &self.limits).await?;
        Ok(Found { repository, root })
    }

    /// What a tag means: a frontend's answer, which may look at this repository and at nothing else.
    async fn tag(&self, reference: &Reference) -> Result<Digest> {
        let asked = Reference { tag: Some(reference.tag_or_latest().to_owned()), ..reference.clone() }.to_string();
        let Tags { frontend, arguments } = &self.tags;
        let grants = Grants::new().pull_reference(&Location::Registry(reference.clone()));
        let mut run = Run::new(frontend).grants(grants).registry(Arc::clone(&self.registries)).argument("ref", &asked);
        for (name, value) in arguments {
            run = run.argument(name, value);
        }
        let run = run.wall_clock(self.limits.wall_clock);
        let answer = self.host.run(run).await.map_err(|error| Problem::of_run(&asked, &error))?;
        let said = answer.metadata.iter().find(|(name, _)| name == DIGEST).map(|(_, value)| value.as_str());
        said.and_then(|digest| Digest::parse(digest).ok()).ok_or_else(|| {
            let message = format!("cannot resolve {asked}: the frontend that answers for tags named no digest");
            Problem::new(Code::Other, &asked, message).hint(format!("its answer is to have the metadatum `{DIGEST}`"))
        })
    }

    /// What is stored under a digest, whatever it is: a document or a blob.
    pub(super) async fn locate(&self, caller: &Caller, reference: &Reference, digest: &Digest) -> Result<Descriptor> {
        let source = self.readable(caller, reference)?;
        Ok(source.locate(digest, &self.limits).await?)
    }

    /// A document, verified.
    pub(super) async fn document(
        &self,
        caller: &Caller,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Bytes> {
        Ok(self.readable(caller, reference)?.fetch(descriptor, &self.limits).await?)
    }

    /// Content in pieces, from a byte on. From the first on it is verified, and the last piece comes only if all of it was
    /// what the descriptor says.
    pub(super) async fn content(
        &self,
        caller: &Caller,
        reference: &Reference,
        descriptor: &Descriptor,
        at: u64,
    ) -> Result<ByteStream> {
        Ok(self.readable(caller, reference)?.open_at(descriptor, at).await?)
    }

    /// A page of tags.
    pub(super) async fn tag_page(&self, caller: &Caller, reference: &Reference, next: Option<&str>) -> Result<TagPage> {
        Ok(self.readable(caller, reference)?.tags(next).await?)
    }

    /// An index of what refers to a digest.
    pub(super) async fn referrers(
        &self,
        caller: &Caller,
        reference: &Reference,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Bytes> {
        Ok(self.readable(caller, reference)?.referrers(digest, artifact_type, &self.limits).await?)
    }

    /// The image for a platform, by the bundled frontend.
    pub(super) async fn image(&self, caller: &Caller, wanted: Wanted) -> Result<Image> {
        let Wanted { reference, platform, mode, index, manifest, config } = wanted;
        let parsed = parse(&reference)?;
        self.readable(caller, &parsed)?;
        let mut query = ImageQuery::new(&reference).registry(Arc::clone(&self.registries));
        if let Some(limit) = self.limits.wall_clock {
            query = query.wall_clock(limit);
        }
        if let Some(platform) = platform {
            query = query.platform(platform);
        }
        if let Some(mode) = mode {
            query = query.option("mode", mode);
        }
        for (wanted, with) in [
            (index, ImageQuery::with_index as fn(ImageQuery) -> ImageQuery),
            (manifest, ImageQuery::with_manifest),
            (config, ImageQuery::with_config),
        ] {
            if wanted {
                query = with(query);
            }
        }
        self.host.resolve_image(query).await.map_err(|error| Problem::of_run(&reference, &error))
    }

    /// A frontend's answer. It may do what its caller may.
    pub(super) async fn run(
        &self,
        caller: &Caller,
        frontend: &str,
        arguments: Vec<(String, String)>,
        progress: Progress,
    ) -> Result<Answer> {
        let loaded = self.frontend(frontend).await?;
        let mut run = Run::new(&loaded)
            .grants((*caller.grants).clone())
            .registry(Arc::clone(&self.registries))
            .progress(progress)
            // Of a bundled one nothing else would bound it.
            .wall_clock(self.limits.wall_clock);
        for (name, value) in arguments {
            run = run.argument(name, value);
        }
        self.host.run(run).await.map_err(|error| Problem::of_run(frontend, &error))
    }

    /// A frontend of this name; a bundled one is loaded when it is first asked for.
    async fn frontend(&self, name: &str) -> Result<Frontend> {
        if let Some(frontend) = self.frontends.get(name) {
            return Ok(frontend.clone());
        }
        if let Some(bundled) = Bundled::named(name).filter(|bundled| *bundled != Bundled::Strategy) {
            let loaded = self.host.load(Component::Bundled(bundled)).await;
            return loaded.map_err(|error| Problem::new(Code::Other, name, error.to_string()));
        }
        let bundled =
            Bundled::all().iter().filter(|bundled| **bundled != Bundled::Strategy).map(|bundled| bundled.name());
        let known = bundled.chain(self.frontends.keys().map(String::as_str)).collect::<Vec<_>>().join(", ");
        Err(Problem::new(Code::NotFound, name, format!("there is no frontend {name:?} here"))
            .hint(format!("there are {known}")))
    }

    /// A repository, if the caller may read it.
    pub(super) fn readable(&self, caller: &Caller, reference: &Reference) -> Result<Arc<dyn Source>> {
        let repository = reference.repository();
        match caller.grants.allows_pull(&repository) {
            true => Ok(self.source(repository, reference)),
            false => Err(denied(caller, "read", repository)),
        }
    }

    /// A repository, if the caller may write to it.
    pub(super) fn writable(&self, caller: &Caller, reference: &Reference) -> Result<Arc<dyn Source>> {
        let repository = reference.repository();
        match caller.grants.allows_push(&repository) {
            true => Ok(self.source(repository, reference)),
            false => Err(denied(caller, "write to", repository)),
        }
    }

    /// How it is reached is found out once, and not for each question.
    fn source(&self, repository: String, reference: &Reference) -> Arc<dyn Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(&repository) {
            return Arc::clone(source);
        }
        if sources.len() >= REPOSITORIES {
            sources.clear();
        }
        let source = self.registries.repository(reference);
        sources.insert(repository, Arc::clone(&source));
        source
    }
}

/// What a caller wrote as a reference to an image in a registry.
pub(super) fn parse(text: &str) -> Result<Reference> {
    let invalid = |message: String| Problem::new(Code::InvalidReference, text, message);
    match Location::parse(text).map_err(|error| invalid(error.to_string()))? {
        Location::Registry(reference) => Ok(reference),
        Location::Store(_) => {
            Err(invalid(format!("{text:?} is in a store of the caller's machine, and the gateway reads registries")))
        }
    }
}

/// What a caller wrote as a repository: a reference without tag and digest.
pub(super) fn repository(text: &str) -> Result<Reference> {
    let reference = parse(text)?;
    if reference.tag.is_some() || reference.digest.is_some() {
        return Err(Problem::new(
            Code::InvalidReference,
            text,
            format!("{text:?} has a tag or a digest, where a repository is meant"),
        ));
    }
    Ok(reference)
}

fn denied(caller: &Caller, what: &str, repository: String) -> Problem {
    let who = caller.name.as_deref().map_or_else(|| "nobody in particular".to_owned(), |name| format!("{name:?}"));
    Problem::new(Code::Denied, &repository, format!("{who} may not {what} {repository} through this gateway"))
        .hint("what callers may is said where the gateway is started: `--pull`, `--push` and `--callers`")
}
