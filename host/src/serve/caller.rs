//! Who calls, and what they may: a file of callers, read before anything is asked.
//!
//! ```toml
//! [anybody]                                  # whoever shows nothing, or nothing that is known
//! pull = ["docker.io/*"]
//!
//! [caller.ci]                                # password and bearer token are the same secret, here by its SHA-256
//! secret = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
//! pull = ["*"]
//! push = ["registry.corp/ci/*"]
//!
//! [caller.builder]
//! certificate = "builder.corp"               # a DNS name in a client certificate that the authority signed
//! uid = 1000                                 # who is at the other end of a unix socket
//! pull = ["*"]
//! ```
//!
//! Not here: signatures of certificates, which TLS looks at (`listen`).

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_oci::Digest;
use thiserror::Error;

use crate::configuration::{Document, Table, Value};
use crate::session::grants::Grants;

/// A file of callers is no longer than this.
const FILE: u64 = 1 << 20;

/// A file of callers that cannot be read or is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidCallers(String);

/// Who may do what.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    anybody: Arc<Grants>,
    known: Vec<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    name: Arc<str>,
    grants: Arc<Grants>,
    secret: Option<Digest>,
    certificate: Option<String>,
    uid: Option<u32>,
}

/// One who calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// `None` for anybody.
    pub(super) name: Option<Arc<str>>,
    pub(super) grants: Arc<Grants>,
}

/// What a connection says of who is at its other end.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer {
    /// DNS names of a client certificate that was verified.
    pub(super) certificate: Vec<String>,
    pub(super) uid: Option<u32>,
}

/// What a request says of who asks: `Authorization`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// Name and password.
    Basic(String, String),
    Bearer(String),
    /// What nobody understands.
    Other,
}

impl Shown {
    pub(super) fn of(header: Option<&[u8]>) -> Shown {
        let Some(header) = header else { return Shown::Nothing };
        let Some((scheme, rest)) = std::str::from_utf8(header).ok().and_then(|text| text.split_once(' ')) else {
            return Shown::Other;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Shown::Bearer(rest.to_owned());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Shown::Other;
        }
        let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((name, password)) => Shown::Basic(name.to_owned(), password.to_owned()),
            None => Shown::Other,
        }
    }
}

impl Callers {
    /// Everybody may do this, and nobody more.
    pub fn anybody(grants: Grants) -> Callers {
        Callers { anybody: Arc::new(grants), known: Vec::new() }
    }

    /// Everybody may do this as well.
    #[must_use]
    pub fn and_anybody(mut self, grants: &Grants) -> Callers {
        self.anybody = Arc::new((*self.anybody).clone().and(grants));
        self
    }

    /// What a file says.
    ///
    /// # Errors
    /// A file that cannot be read; one that is not understood, with the line.
    pub fn open(file: &Path) -> Result<Callers, InvalidCallers> {
        use std::io::Read as _;
        let name = file.display().to_string();
        let fail = |error: std::io::Error| InvalidCallers(format!("cannot read the callers in {name}: {error}"));
        let mut text = String::new();
        std::fs::File::open(file).map_err(fail)?.take(FILE + 1).read_to_string(&mut text).map_err(fail)?;
        if text.len() as u64 > FILE {
            return Err(InvalidCallers(format!("the callers in {name} are more than {FILE} bytes")));
        }
        Callers::parse(&text, &name)
    }

    /// What a text says; `file` is for messages.
    ///
    /// # Errors
    /// What is not understood, with the line.
    pub fn parse(text: &str, file: &str) -> Result<Callers, InvalidCallers> {
        parse(text, file).map_err(InvalidCallers)
    }

    /// Who it is. A secret that nobody knows is nobody's: `None`, for who would rather be told than be taken for anybody.
    pub(super) fn who(&self, peer: &Peer, shown: &Shown) -> Option<Caller> {
        let by_secret = |name: Option<&str>, secret: &str| {
            let digest = Digest::sha256(secret.as_bytes());
            self.known
                .iter()
                .find(|known| known.secret.as_ref() == Some(&digest) && name.is_none_or(|name| *known.name == *name))
        };
        let known = match shown {
            Shown::Basic(name, password) => Some(by_secret(Some(name), password)?),
            Shown::Bearer(token) => Some(by_secret(None, token)?),
            Shown::Other => return None,
            Shown::Nothing => self.known.iter().find(|known| {
                known.uid.is_some_and(|uid| peer.uid == Some(uid))
                    || known.certificate.as_ref().is_some_and(|name| peer.certificate.contains(name))
            }),
        };
        Some(match known {
            Some(known) => Caller { name: Some(Arc::clone(&known.name)), grants: Arc::clone(&known.grants) },
            None => Caller { name: None, grants: Arc::clone(&self.anybody) },
        })
    }

    /// Whether showing a secret can open anything.
    pub(super) fn take_secrets(&self) -> bool {
        self.known.iter().any(|known| known.secret.is_some())
    }
}

fn parse(text: &str, file: &str) -> Result<Callers, String> {
    let document = Document::new(text, file);
    let table = document.table()?;
    let mut callers = Callers::default();
    for (key, value) in document.keys(&table) {
        match key.value {
            "anybody" => {
                let known = caller(&document, "anybody", document.subtable(value)?)?;
                if known.secret.is_some() || known.certificate.is_some() || known.uid.is_some() {
                    return document
                        .wrong(value, "`anybody` shows nothing: only `pull` and `push` can be said of them");
                }
                callers.anybody = known.grants;
            }
            "caller" => {
                for (name, value) in document.keys(document.subtable(value)?) {
                    let known = caller(&document, name.value, document.subtable(value)?)?;
                    if known.secret.is_none() && known.certificate.is_none() && known.uid.is_none() {
                        return document
                            .wrong(value, "nobody can be this caller: say `secret`, `certificate` or `uid`");
                    }
                    callers.known.push(known);
                }
            }
            other => {
                return document.wrong(value, format!("there is no `{other}`; there are `anybody` and `caller.NAME`"));
            }
        }
    }
    Ok(callers)
}

fn caller<'a>(document: &Document<'a>, name: &str, table: &Table<'a>) -> Result<Known, String> {
    let mut grants = Grants::new();
    let mut known = Known { name: name.into(), grants: Arc::default(), secret: None, certificate: None, uid: None };
    for (key, value) in document.keys(table) {
        match key.value {
            "pull" => grants = patterns(document, value, grants, Grants::pull)?,
            "push" => grants = patterns(document, value, grants, Grants::push)?,
            "secret" => {
                let said = document.string(value)?;
                let digest = |text: &String| {
                    let digest = Digest::parse(text).ok().filter(|_| text.starts_with("sha256:"));
                    digest
                        .ok_or("a secret is said by its SHA-256, as sha256:HEX: `printf %s SECRET | sha256sum`".into())
                };
                known.secret = Some(document.parsed(&said, digest)?);
            }
            "certificate" => known.certificate = Some(document.string(value)?.value),
            "uid" => known.uid = Some(uid(document, value)?),
            other => {
                let keys = "`pull`, `push`, `secret`, `certificate` and `uid`";
                return document.wrong(value, format!("there is no `{other}`; there are {keys}"));
            }
        }
    }
    known.grants = Arc::new(grants);
    Ok(known)
}

fn patterns<'a>(
    document: &Document<'a>,
    value: &Value<'a>,
    grants: Grants,
    grant: impl Fn(Grants, &str) -> Result<Grants, crate::session::grants::InvalidPattern>,
) -> Result<Grants, String> {
    document.strings(value)?.iter().try_fold(grants, |grants, said| {
        document.parsed(said, |pattern| grant(grants, pattern).map_err(|error| error.to_string()))
    })
}

fn uid(document: &Document<'_>, value: &Value<'_>) -> Result<u32, String> {
    match value.get_ref() {
        toml::de::DeValue::Integer(number) if number.radix() == 10 => match number.as_str().parse() {
            Ok(uid) => Ok(uid),
            Err(_) => document.wrong(value, "this is no uid"),
        },
        _ => document.wrong(value, "this is to be a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [anybody]
        pull = ["docker.io/*"]

        [caller.ci]
        secret = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" # secret
        pull = ["*"]
        push = ["registry.corp/ci/*"]

        [caller.builder]
        certificate = "builder.corp"
        uid = 1000
        pull = ["r.corp/*"]
    "#;

    fn name(callers: &Callers, peer: &Peer, header: Option<&str>) -> Option<String> {
        let caller = callers.who(peer, &Shown::of(header.map(str::as_bytes)))?;
        Some(caller.name.as_deref().unwrap_or("anybody").to_owned())
    }

    #[test]
    fn tells_callers_apart() {
        let callers = Callers::parse(FILE, "callers.toml").unwrap();
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let (builder, root) = (
            Peer { certificate: vec!["a".into(), "builder.corp".into()], uid: None },
            Peer { uid: Some(0), ..Peer::default() },
        );
        for (peer, header, who) in [
            (&Peer::default(), None, Some("anybody")),
            (&Peer::default(), Some(basic("ci:secret")), Some("ci")),
            (&Peer::default(), Some("bearer secret".into()), Some("ci")),
            // A secret that is wrong is told, not passed over.
            (&Peer::default(), Some(basic("ci:Secret")), None),
            (&Peer::default(), Some(basic("builder:secret")), None),
            (&Peer::default(), Some(basic("nocolon")), None),
            (&Peer::default(), Some("Bearer ".into()), None),
            (&Peer::default(), Some("Negotiate abc".into()), None),
            (&builder, None, Some("builder")),
            (&Peer { uid: Some(1000), ..Peer::default() }, None, Some("builder")),
            (&root, None, Some("anybody")),
            // Who shows something is who they say.
            (&builder, Some(basic("ci:secret")), Some("ci")),
        ] {
            assert_eq!(name(&callers, peer, header.as_deref()).as_deref(), who, "{header:?}");
        }
        assert!(callers.who(&Peer::default(), &Shown::Nothing).unwrap().grants.allows_pull("docker.io/library/alpine"));
        assert!(callers.take_secrets());
        assert!(!Callers::anybody(Grants::new()).take_secrets());
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, expected) in [
            ("[anybody]\nuid = 1", "callers.toml:1: `anybody` shows nothing"),
            ("[caller.ci]\npull = []", "callers.toml:1: nobody can be this caller"),
            ("[caller.ci]\nsecret = \"hunter2\"", "callers.toml:2: "),
            ("[caller.ci]\nuid = -1", "callers.toml:2: this is no uid"),
            ("[caller.ci]\nuid = \"root\"", "callers.toml:2: this is to be a number"),
            ("[caller.ci]\nuid = 1\npull = [\"A\"]", "callers.toml:3: \"A\" is no pattern"),
            ("[caller.ci]\npassword = \"x\"", "callers.toml:2: there is no `password`"),
            ("[everybody]", "callers.toml:1: there is no `everybody`"),
            ("pull = ", "callers.toml:1: "),
        ] {
            let error = Callers::parse(text, "callers.toml").unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        let absent = Callers::open(Path::new("/nowhere/callers.toml")).unwrap_err().to_string();
        assert!(absent.contains("/nowhere/callers.toml"), "{absent}");
    }
}
