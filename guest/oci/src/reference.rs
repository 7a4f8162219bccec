//! References to images in registries, by Docker's rules (distribution/reference): `[domain/]path[:tag][@digest]`.
//!
//! Not here: schemes and stores, see [`location`](crate::location).

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// The domain of names that have none.
pub const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_OLD: &str = "index.docker.io";
const OFFICIAL: &str = "library/";
const PATH_MAX: usize = 255;
const TAG_MAX: usize = 128;
/// The tag of references that name neither tag nor digest.
pub const LATEST: &str = "latest";

/// A normalised reference: `alpine` is `docker.io/library/alpine`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Host or IPv6 address in brackets, and a port where one was written. Empty where the text's first component cannot
    /// be a domain although it looks like one (`exa_mple.com/a`): such a reference cannot be asked for.
    pub domain: String,
    /// Everything between domain and tag.
    pub path: String,
    /// Kept beside a digest for display.
    pub tag: Option<String>,
    /// Names the content, whatever the tag says.
    pub digest: Option<Digest>,
}

impl Reference {
    /// Reads and normalises a reference.
    ///
    /// # Errors
    /// Whatever Docker refuses: a scheme, upper case in the path, a bare 64-digit hexadecimal name, a malformed tag or
    /// digest, a path of more than 255 characters.
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        let fail = |why: &str| Err(InvalidReference::new(text, why));
        if text.is_empty() {
            return fail("it is empty");
        }
        if text.contains("://") {
            return fail("it has a scheme where a name is meant");
        }
        if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return fail(
                "64 hexadecimal digits are an identifier, not a name; write docker.io/NAME if that is the name",
            );
        }
        let (named, digest) = match text.split_once('@') {
            None => (text, None),
            Some((named, digest)) => {
                (named, Some(Digest::parse(digest).map_err(|error| InvalidReference::new(text, error.to_string()))?))
            }
        };
        let (domain, prefix, rest) = split_domain(named);
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (path, tag) = match rest.get(last..).and_then(|component| component.find(':')) {
            None => (rest, None),
            Some(colon) => (rest.get(..last + colon).unwrap_or_default(), rest.get(last + colon + 1..)),
        };
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return fail("the name must be lower-case");
        }
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return fail("the tag is not 1 to 128 letters, digits, `_`, `.` or `-`, or starts with `.` or `-`");
        }
        let (domain, path) = match is_domain(domain) {
            true => (domain.to_owned(), [prefix, path].concat()),
            // Docker's pattern then takes all of it for a path, if it is one.
            false => (String::new(), format!("{domain}/{path}")),
        };
        if !path.split('/').all(is_component) {
            return fail(
                "each part of the name is lower-case letters and digits, joined by `.`, `_`, `__` or `-`, after an optional host",
            );
        }
        if path.len() > PATH_MAX {
            return fail("the name is longer than 255 characters");
        }
        Ok(Reference { domain, path, tag: tag.map(str::to_owned), digest })
    }

    /// `domain/path`.
    pub fn repository(&self) -> String {
        match self.domain.is_empty() {
            true => self.path.clone(),
            false => format!("{}/{}", self.domain, self.path),
        }
    }

    /// The normalised text, with exactly what was named.
    pub fn canonical(&self) -> String {
        self.to_string()
    }

    /// [`canonical`](Reference::canonical) in Docker's short form: no `docker.io/`, no `library/`. Where that would be read
    /// as another reference or as none, as of `docker.io/acme.io/app`, it is not short; Docker's is.
    pub fn familiar(&self) -> String {
        let name = match self.domain == DOCKER_HUB {
            false => self.repository(),
            true => match self.path.strip_prefix(OFFICIAL) {
                Some(name) if !name.contains('/') => name.to_owned(),
                _ => self.path.clone(),
            },
        };
        let short = name + &self.suffix();
        match Self::parse(&short) {
            Ok(same) if same == *self => short,
            _ => self.canonical(),
        }
    }

    /// What is asked for: with a digest no tag, without either `:latest`.
    pub fn resolved(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.repository()),
            None => format!("{}:{}", self.repository(), self.tag_or_latest()),
        }
    }

    /// Whether both ask for the same: [`resolved`](Reference::resolved) would read alike.
    pub fn means_same(&self, other: &Reference) -> bool {
        self.domain == other.domain
            && self.path == other.path
            && self.digest == other.digest
            && (self.digest.is_some() || self.tag_or_latest() == other.tag_or_latest())
    }

    /// The tag, or `latest`.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or(LATEST)
    }

    fn suffix(&self) -> String {
        let mut text = String::new();
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest.as_str());
        }
        text
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository())?;
        f.write_str(&self.suffix())
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        Self::parse(text)
    }
}

/// The domain, what Docker Hub puts before the path, and the rest as typed. The first component is a domain only if it
/// looks like one.
fn split_domain(named: &str) -> (&str, &str, &str) {
    let (domain, rest) = match named.split_once('/') {
        Some((DOCKER_HUB | DOCKER_HUB_OLD, rest)) => (DOCKER_HUB, rest),
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        _ => (DOCKER_HUB, named),
    };
    match domain == DOCKER_HUB && !rest.contains('/') {
        true => (domain, OFFICIAL, rest),
        false => (domain, "", rest),
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            None => return false,
            Some((address, port)) => {
                if address.is_empty() || !address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':') {
                    return false;
                }
                (None, port)
            }
        },
        None => match text.find(':') {
            None => (Some(text), ""),
            Some(colon) => {
                let (host, port) = text.split_at(colon);
                (Some(host), port)
            }
        },
    };
    let port_is_right = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    port_is_right && host.is_none_or(|host| host.split('.').all(label))
}

fn is_component(text: &str) -> bool {
    let mut rest = text;
    loop {
        let word = rest.bytes().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count();
        if word == 0 {
            return false;
        }
        rest = rest.get(word..).unwrap_or_default();
        if rest.is_empty() {
            return true;
        }
        let separator = rest.bytes().take_while(|byte| matches!(byte, b'.' | b'_' | b'-')).count();
        match rest.get(..separator) {
            Some("." | "_" | "__") => {}
            Some(dashes) if !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-') => {}
            _ => return false,
        }
        rest = rest.get(separator..).unwrap_or_default();
    }
}

/// Whether the text is a legal tag: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=TAG_MAX).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// At most 120 characters of a text, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A text that is no reference, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidReference {
    text: String,
    why: String,
}

impl InvalidReference {
    pub(crate) fn new(text: &str, why: impl Into<String>) -> Self {
        InvalidReference { text: excerpt(text), why: why.into() }
    }
}

impl fmt::Display for InvalidReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no reference: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidReference {}
