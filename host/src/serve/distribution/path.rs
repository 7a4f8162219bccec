//! What a path asks for (distribution specification, "Endpoints").

use std::borrow::Cow;

use portolan_oci::Digest;
use portolan_oci::reference::is_tag;
use url::form_urlencoded;

use crate::error::Code;
use crate::serve::problem::{Problem, Result};

/// What is asked of which repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// As the path has it; `None` for `/v2/`.
    pub(super) name: Option<String>,
    /// The same with `/v2/` before it, and the namespace behind it where one was said: what a `Location` begins with.
    pub(super) own: Own,
    /// `?ns=`
    pub(super) namespace: Option<String>,
    pub(super) what: What,
}

/// How a repository is named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    name: String,
    namespace: Option<String>,
}

impl Own {
    /// As the path has it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A path below the repository's.
    pub(super) fn path(&self, rest: &str) -> String {
        let Own { name, namespace } = self;
        match namespace {
            None => format!("/v2/{name}/{rest}"),
            Some(namespace) => {
                let query = form_urlencoded::Serializer::new(String::new()).append_pair("ns", namespace).finish();
                format!("/v2/{name}/{rest}?{query}")
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Tag(String),
    Digest(Digest),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    Version,
    Manifest(Target),
    Blob(Digest),
    Tags { last: Option<String>, most: Option<usize> },
    Referrers { digest: Digest, artifact_type: Option<String> },
    Uploads(Started),
    Upload { id: String, digest: Option<Digest> },
}

/// What is said where an upload begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Started {
    /// All of it comes with the question.
    pub(super) digest: Option<Digest>,
    /// It is in this repository, too.
    pub(super) mount: Option<(Digest, Option<String>)>,
}

impl What {
    /// A word for who counts.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            What::Version => "version",
            What::Manifest(_) => "manifest",
            What::Blob(_) => "blob",
            What::Tags { .. } => "tags",
            What::Referrers { .. } => "referrers",
            What::Uploads(_) | What::Upload { .. } => "upload",
        }
    }
}

/// Reads a path that begins with `/v2`.
pub(super) fn parse(path: &str, query: Option<&str>) -> Result<Asked> {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
    let mut take = |name: &str| {
        let found = pairs.iter().position(|(key, _)| key == name)?;
        Some(pairs.swap_remove(found).1.into_owned())
    };
    let namespace = take("ns");
    let path = decoded(path)?;
    let rest = path.strip_prefix("/v2").unwrap_or_default().trim_start_matches('/');
    let asked = |name: &str, what| {
        let own = Own { name: name.to_owned(), namespace: namespace.clone() };
        Ok(Asked { name: Some(name.to_owned()), own, namespace: namespace.clone(), what })
    };
    if rest.is_empty() {
        let own = Own { name: String::new(), namespace: namespace.clone() };
        return Ok(Asked { name: None, own, namespace, what: What::Version });
    }
    let digest =
        |text: &str| Digest::parse(text).map_err(|error| Problem::new(Code::InvalidReference, text, error.to_string()));
    if let Some(name) = rest.strip_suffix("/tags/list") {
        let most =
            match take("n") {
                None => None,
                Some(text) => Some(text.parse().map_err(|_| {
                    Problem::new(Code::InvalidReference, name, format!("n={text:?} is no number of tags"))
                })?),
            };
        return asked(name, What::Tags { last: take("last"), most });
    }
    if let Some(name) = rest.strip_suffix("/blobs/uploads").or_else(|| rest.strip_suffix("/blobs/uploads/")) {
        let mount = take("mount").map(|text| digest(&text)).transpose()?;
        let from = take("from");
        let started = Started {
            digest: take("digest").map(|text| digest(&text)).transpose()?,
            mount: mount.map(|mount| (mount, from)),
        };
        return asked(name, What::Uploads(started));
    }
    if let Some((name, id)) = rest.rsplit_once("/blobs/uploads/") {
        let digest = take("digest").map(|text| digest(&text)).transpose()?;
        return asked(name, What::Upload { id: id.to_owned(), digest });
    }
    if let Some((name, text)) = rest.rsplit_once("/manifests/") {
        let target = match is_tag(text) {
            true => Target::Tag(text.to_owned()),
            false => Target::Digest(digest(text)?),
        };
        return asked(name, What::Manifest(target));
    }
    if let Some((name, text)) = rest.rsplit_once("/blobs/") {
        return asked(name, What::Blob(digest(text)?));
    }
    if let Some((name, text)) = rest.rsplit_once("/referrers/") {
        return asked(name, What::Referrers { digest: digest(text)?, artifact_type: take("artifactType") });
    }
    let message = format!("there is no question at {}", crate::text::line(&path));
    Err(Problem::new(Code::NotFound, path, message))
}

/// A path whose escapes are read: some clients write `sha256%3A…`.
fn decoded(path: &str) -> Result<String> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| {
        let message = format!("{} is no path: what its escapes say is not UTF-8", crate::text::line(path));
        Problem::new(Code::InvalidReference, path, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn what(path: &str) -> (Option<String>, What) {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let asked = parse(path, query).unwrap();
        (asked.name, asked.what)
    }

    #[test]
    fn paths_that_ask_for_something() {
        let digest = || Digest::parse(DIGEST).unwrap();
        let tag = |tag: &str| What::Manifest(Target::Tag(tag.to_owned()));
        for (path, name, expected) in [
            ("/v2/".to_owned(), None, What::Version),
            ("/v2".to_owned(), None, What::Version),
            ("/v2/library/alpine/manifests/3".to_owned(), Some("library/alpine"), tag("3")),
            // A name's part may be a word of ours.
            ("/v2/a/manifests/blobs/manifests/1".to_owned(), Some("a/manifests/blobs"), tag("1")),
            (format!("/v2/a/manifests/{DIGEST}"), Some("a"), What::Manifest(Target::Digest(digest()))),
            (format!("/v2/a/blobs/{}", DIGEST.replace(':', "%3A")), Some("a"), What::Blob(digest())),
            ("/v2/a/b/tags/list".to_owned(), Some("a/b"), What::Tags { last: None, most: None }),
            ("/v2/a/tags/list?n=2&last=x".to_owned(), Some("a"), What::Tags { last: Some("x".into()), most: Some(2) }),
            (
                format!("/v2/a/referrers/{DIGEST}?artifactType=a%2Fb"),
                Some("a"),
                What::Referrers { digest: digest(), artifact_type: Some("a/b".into()) },
            ),
            ("/v2/a/blobs/uploads/".to_owned(), Some("a"), What::Uploads(Started::default())),
            (
                format!("/v2/a/blobs/uploads/?mount={DIGEST}&from=b"),
                Some("a"),
                What::Uploads(Started { digest: None, mount: Some((digest(), Some("b".into()))) }),
            ),
            (
                format!("/v2/a/blobs/uploads/id?digest={DIGEST}"),
                Some("a"),
                What::Upload { id: "id".into(), digest: Some(digest()) },
            ),
        ] {
            assert_eq!(what(&path), (name.map(str::to_owned), expected), "{path}");
        }
        let mirrored = parse("/v2/library/alpine/blobs/uploads/", Some("ns=docker.io")).unwrap();
        assert_eq!(mirrored.own.path("blobs/uploads/1"), "/v2/library/alpine/blobs/uploads/1?ns=docker.io");
    }

    #[test]
    fn paths_that_ask_for_nothing() {
        for path in [
            "/v2/_catalog",
            "/v2/a/manifests/not:a:digest",
            "/v2/a/blobs/latest",
            "/v2/a/referrers/sha256:12",
            "/v2/a/tags/list?n=many",
            "/v2/%ff/manifests/1",
        ] {
            let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
            assert!(parse(path, query).is_err(), "{path}");
        }
    }
}
