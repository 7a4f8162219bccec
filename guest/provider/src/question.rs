//! What a frontend names, checked before it becomes a path, a URL or a key: as the host checks it.
//!
//! Pure.

use portolan_oci::{Code, Descriptor, Digest, Location, media_type, text};

use crate::error::{Error, Result};

/// A reference or repository is no longer than this.
const REFERENCE: usize = 16 << 10;
/// As much of what was passed as a message shows.
const SHOWN: usize = 128;

/// What `text` names.
///
/// # Errors
/// `invalid-reference` where it names nothing, or no registry.
pub fn location(text: &str, operation: &str) -> Result<Location> {
    let invalid = |why: &str| Error::new(Code::InvalidReference, operation, &shown(text), why);
    if text.len() > REFERENCE {
        return Err(invalid(&format!("a reference has at most {REFERENCE} bytes")));
    }
    let location = Location::parse(text).map_err(|error| invalid(&error.to_string()))?;
    match &location {
        Location::Registry(reference) if reference.domain.is_empty() => Err(invalid("it names no registry")),
        _ => Ok(location),
    }
}

/// A repository, with nothing in it named.
///
/// # Errors
/// `invalid-reference` where it names nothing, or more than a repository.
pub fn repository(text: &str, operation: &str) -> Result<Location> {
    let location = location(text, operation)?;
    let bare = match &location {
        Location::Registry(reference) => reference.tag.is_none() && reference.digest.is_none(),
        Location::Store(store) => store.rest.is_empty() && store.digest.is_none(),
    };
    match bare {
        true => Ok(location),
        false => {
            let detail = "a repository is meant, without tag, digest or name";
            Err(Error::new(Code::InvalidReference, operation, &location.shown(), detail))
        }
    }
}

/// A descriptor as it was passed.
///
/// # Errors
/// `malformed` where it is none, `unsupported` where nobody can verify its digest.
pub fn descriptor(repository: &str, media_type: String, digest: &str, size: u64) -> Result<Descriptor> {
    const OPERATION: &str = "fetch from";
    let malformed = |what: &str| Err(Error::new(Code::Malformed, OPERATION, repository, what));
    if !media_type::valid(&media_type) {
        return malformed(&format!("the media type {} is none", shown(&media_type)));
    }
    let digest = self::digest(repository, digest, OPERATION)?;
    if i64::try_from(size).is_err() {
        return malformed(&format!("the descriptor's size {size} is more than 2^63-1"));
    }
    Ok(Descriptor::new(media_type, digest, size))
}

/// A digest that content can be checked with.
///
/// # Errors
/// `malformed` where it is none, `unsupported` where nobody can compute it.
pub fn digest(repository: &str, text: &str, operation: &str) -> Result<Digest> {
    let fail = |code, detail: &str| Error::new(code, operation, repository, detail);
    let digest =
        Digest::parse_any(text).map_err(|_| fail(Code::Malformed, &format!("{} is no digest", shown(text))))?;
    match digest.algorithm() {
        Some(_) => Ok(digest),
        None => {
            let name = shown(digest.algorithm_name());
            Err(fail(Code::Unsupported, &format!("nothing here can verify a digest of the algorithm {name}")))
        }
    }
}

/// What was passed, short enough for a message; whoever shows the message escapes it.
fn shown(text: &str) -> String {
    match text::at_most(text, SHOWN) {
        cut if cut.len() < text.len() => format!("{cut:?}…"),
        whole => format!("{whole:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_bare() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, good) in [
            ("oci-layout://out", true),
            ("oci-layout://out:1", false),
            ("oci-layout://out/app:1", false),
            (&format!("oci-layout://out@{digest}"), false),
            ("docker.io/library/alpine", true),
            ("alpine:3", false),
            ("ftp://x", false),
            ("", false),
            (&"a".repeat(REFERENCE + 1), false),
        ] {
            assert_eq!(repository(text, "try").is_ok(), good, "{text}");
        }
    }

    #[test]
    fn descriptors_are_checked() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (media_type, digest, size, code) in [
            ("a/b", digest.as_str(), 1, None),
            ("a/b", &digest, u64::MAX, Some(Code::Malformed)),
            ("a/b\n", &digest, 1, Some(Code::Malformed)),
            ("a/b", "sha256:../..", 1, Some(Code::Malformed)),
            ("a/b", "blake3:00", 1, Some(Code::Unsupported)),
        ] {
            let checked = descriptor("oci-layout://x", media_type.into(), digest, size);
            assert_eq!(checked.err().map(|error| error.code), code, "{media_type} {digest} {size}");
        }
    }
}
