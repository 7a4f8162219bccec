//! The arguments, read.

use portolan_sdk::oci::{Annotations, Digest, Location, Mode, Platform};
use portolan_sdk::{Context, Failure, Request, code};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::annotation::Annotation;
use crate::target::Target;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Each once, in the order given.
    pub targets: Vec<Target>,
    /// What is appended to, files, then what was given by place.
    pub sources: Vec<Said>,
    /// In the order given: of two with one key the later counts.
    pub annotations: Vec<Annotation>,
    /// Empty for all.
    pub platforms: Vec<Platform>,
    pub mode: Mode,
    pub prefer_index: bool,
    pub oci: bool,
    pub dry_run: bool,
}

/// A source as it was written.
#[derive(Debug)]
pub(crate) enum Said {
    /// A digest alone; which repository it is in follows from the others.
    Digest(Digest),
    /// A reference.
    At(Location),
    /// The first target, as it is now.
    Before(Location),
    /// A descriptor; its repository follows as a digest's does.
    Descriptor(Box<Given>),
}

/// A descriptor as it was written: what is absent is taken from what is there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Given {
    pub digest: Digest,
    pub media_type: Option<String>,
    pub size: Option<u64>,
    pub urls: Option<Vec<String>>,
    pub annotations: Option<Annotations>,
    pub data: Option<String>,
    pub platform: Option<Platform>,
    pub artifact_type: Option<String>,
}

impl Asked {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A text that is not what it should be; no source; no target, unless nothing is to be written.
    pub(crate) fn read(ctx: &impl Context, request: &Request) -> Result<Self, Failure> {
        let machine = ctx.platform();
        let mut targets: Vec<Target> = Vec::new();
        for text in request.all("tag") {
            let target = Target::parse(text)?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let mut sources = Vec::new();
        if request.flag("append") {
            match targets.first() {
                Some(first) => sources.push(Said::Before(first.before())),
                None => {
                    return Err(
                        Failure::new("--append adds to a target, and none is given").hint("give one with --tag")
                    );
                }
            }
        }
        for text in request.all("file").into_iter().chain(request.all("source")) {
            sources.push(Said::parse(text)?);
        }
        let dry_run = request.flag("dry-run");
        if sources.is_empty() {
            return Err(Failure::new("nothing to make it of: there is no source").hint("give references, or --file"));
        }
        if targets.is_empty() && !dry_run {
            return Err(
                Failure::new("there is no target to write to").hint("give one with --tag, or ask for --dry-run")
            );
        }
        let mut annotations = Vec::new();
        for text in request.all("annotation") {
            annotations.extend(Annotation::parse(text, &machine)?);
        }
        Ok(Asked {
            targets,
            sources,
            annotations,
            platforms: request.platforms("platform", ctx)?,
            mode: request.mode(),
            prefer_index: request.flag("prefer-index"),
            oci: request.flag("oci"),
            dry_run,
        })
    }
}

impl Said {
    fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let read = match text {
            _ if text.starts_with('{') => Given::parse(text).map(|given| Said::Descriptor(Box::new(given))),
            // `sha256:…` would be a legal name with a tag, and is never meant so.
            _ if ["sha256:", "sha384:", "sha512:"].iter().any(|algorithm| text.starts_with(algorithm)) => {
                Digest::parse(text).map(Said::Digest).map_err(Failure::from)
            }
            _ => Location::parse(text).map(Said::At).map_err(Failure::from),
        };
        read.map_err(|failure| match failure.hint {
            Some(_) => failure,
            None => failure.hint("a source is a reference, a digest, or a descriptor as JSON"),
        })
    }
}

impl Given {
    fn parse(text: &str) -> Result<Self, Failure> {
        /// What no descriptor has.
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Root {
            schema_version: u64,
            manifests: Option<IgnoredAny>,
            config: Option<IgnoredAny>,
            layers: Option<IgnoredAny>,
        }
        let root: Root = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let what = match root {
            Root { manifests: Some(_), .. } => Some("an index"),
            Root { config: Some(_), .. } | Root { layers: Some(_), .. } => Some("a manifest"),
            Root { schema_version: 1.., .. } => Some("a manifest or an index"),
            _ => None,
        };
        if let Some(what) = what {
            return Err(Failure::new(format!("a source is {what} where a descriptor is meant")).hint(
                "push it first, and give its digest, or a descriptor: {\"mediaType\":…,\"digest\":…,\"size\":…}",
            ));
        }
        let given: Given = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        Ok(Given {
            // As in Go, what is empty is not there.
            size: given.size.filter(|size| *size > 0),
            media_type: given.media_type.filter(|text| !text.is_empty()),
            annotations: given.annotations.filter(|annotations| !annotations.is_empty()),
            urls: given.urls.filter(|urls| !urls.is_empty()),
            data: given.data.filter(|data| !data.is_empty()),
            artifact_type: given.artifact_type.filter(|text| !text.is_empty()),
            ..given
        })
    }
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::of(code::MALFORMED, format!("a source is no readable descriptor: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        match Said::parse(text) {
            Ok(Said::Digest(digest)) => Ok(format!("digest {digest}")),
            Ok(Said::At(location) | Said::Before(location)) => Ok(format!("at {location}")),
            Ok(Said::Descriptor(given)) => Ok(format!("descriptor {:?} {:?}", given.media_type, given.size)),
            Err(failure) => Err(failure.message),
        }
    }

    #[test]
    fn a_source_is_a_digest_a_reference_or_a_descriptor() {
        let digest = Digest::sha256(b"");
        for (text, expected) in [
            (digest.to_string(), format!("digest {digest}")),
            (format!(" {digest}\n"), format!("digest {digest}")),
            ("alpine:3\n".into(), "at docker.io/library/alpine:3".into()),
            (format!("alpine@{digest}"), format!("at docker.io/library/alpine@{digest}")),
            ("oci-layout://out/app:1".into(), "at oci-layout://out/app:1".into()),
            (format!(r#"{{"digest":"{digest}"}}"#), "descriptor None None".into()),
            (
                format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":7,"unknown":[1]}}"#),
                r#"descriptor Some("a/b") Some(7)"#.into(),
            ),
            (
                format!(r#"{{"mediaType":"","digest":"{digest}","size":0,"schemaVersion":0,"platform":null}}"#),
                "descriptor None None".into(),
            ),
        ] {
            assert_eq!(read(&text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        let digest = Digest::sha256(b"");
        for (text, why) in [
            ("sha256:abc".to_owned(), "sha256:abc"),
            (digest.to_string().to_uppercase(), "lower"),
            ("Alpine".into(), "lower"),
            ("{".into(), "no readable descriptor"),
            ("{}".into(), "missing field `digest`"),
            (r#"{"digest":"sha256:../.."}"#.into(), "no readable descriptor"),
            (format!(r#"{{"digest":"{digest}","size":-1}}"#), "no readable descriptor"),
            (format!(r#"{{"digest":"{digest}","digest":"{digest}"}}"#), "duplicate field"),
            (r#"{"schemaVersion":2,"manifests":[]}"#.into(), "an index where a descriptor is meant"),
            (r#"{"schemaVersion":2,"config":{},"layers":[]}"#.into(), "a manifest where a descriptor is meant"),
            (format!(r#"{{"schemaVersion":2,"digest":"{digest}"}}"#), "where a descriptor is meant"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
