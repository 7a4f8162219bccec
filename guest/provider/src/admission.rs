//! May this URL be asked? Every URL that a registry sends us to (a redirect, a bearer realm) passes here first, by the
//! rules of the host's client. Nothing secret is at stake, as a bundle knows no password; whose network is asked, is.
//!
//! Pure. What a *name* resolves to is not seen here: the runtime dials, and `wasi:http` does not tell.

use std::net::IpAddr;

use portolan_oci::registry::address::Reach;
use url::{Host, Url};

/// Loopback by literal or by the one name that means it everywhere: plain HTTP there, HTTPS everywhere else.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Where a redirect answered at `from` leads, for the registry at `base`.
///
/// # Errors
/// Which rule it breaks.
pub fn redirect(base: &Url, from: &Url, location: &str) -> Result<Url, String> {
    let location = location.trim();
    if location.is_empty() {
        return Err("the redirect does not say where to".into());
    }
    let mut url = from.join(location).map_err(|error| format!("the redirect leads to no URL: {error}"))?;
    url.set_fragment(None);
    match (from.scheme(), url.scheme()) {
        ("https", "https") | ("http", "http" | "https") => {}
        ("https", "http") => return Err("https is never followed to http".into()),
        _ => return Err("a redirect stays with http and https".into()),
    }
    without_userinfo(&url)?;
    let inside = is_local(base) || literal(base).is_some_and(|reach| reach != Reach::Public);
    match literal(&url) {
        _ if url.origin() == base.origin() => Ok(url),
        Some(Reach::Forbidden) => {
            Err("link-local, metadata, multicast and unspecified addresses are never asked".into())
        }
        Some(Reach::Private) if !inside => {
            Err("a registry at a public address is not followed to a private one".into())
        }
        _ => Ok(url),
    }
}

/// The token server that a challenge of the registry at `base` names, or that one redirects to.
///
/// # Errors
/// Which rule it breaks.
pub fn realm(base: &Url, realm: &str) -> Result<Url, String> {
    let url = Url::parse(realm).map_err(|_| "a bearer realm is an https URL")?;
    if url.scheme() != "https" && !(url.scheme() == "http" && base.scheme() == "http") {
        return Err("a bearer realm is an https URL".into());
    }
    without_userinfo(&url)?;
    match literal(&url) {
        Some(reach) if reach != Reach::Public && url.origin() != base.origin() => {
            Err("a bearer realm is not at a private address, unless it is the registry itself".into())
        }
        _ => Ok(url),
    }
}

fn without_userinfo(url: &Url) -> Result<(), String> {
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(()),
        false => Err("a URL that a registry sends carries no user and password".into()),
    }
}

/// How far away an address is that the URL names itself.
fn literal(url: &Url) -> Option<Reach> {
    match url.host() {
        Some(Host::Ipv4(address)) => Some(Reach::of(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => Some(Reach::of(IpAddr::V6(address))),
        Some(Host::Domain(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects() {
        for (base, location, expected) in [
            ("https://r.example", "/b", Some("https://r.example/b")),
            ("https://r.example", "https://cdn.example/b?sig=1#x", Some("https://cdn.example/b?sig=1")),
            ("https://r.example", "http://r.example/b", None),
            ("https://r.example", "file:///etc/passwd", None),
            ("https://r.example", "", None),
            ("https://r.example", "https://u:p@cdn.example/", None),
            ("https://r.example", "https://10.0.0.1/b", None),
            ("https://r.example", "https://[::ffff:127.0.0.1]/b", None),
            ("https://r.example", "https://169.254.169.254/b", None),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/b", Some("http://127.0.0.1:5001/b")),
            ("http://127.0.0.1:5000", "http://169.254.169.254/b", None),
        ] {
            let base = Url::parse(base).unwrap();
            let from = base.join("/v2/a").unwrap();
            let found = redirect(&base, &from, location).ok();
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{base} {location}");
        }
        let (base, from) = (Url::parse("http://localhost:1").unwrap(), Url::parse("https://cdn.example/x").unwrap());
        assert!(redirect(&base, &from, "http://localhost:1/y").is_err(), "not even back to where we came from");
    }

    #[test]
    fn realms() {
        for (base, text, good) in [
            ("https://r.example", "https://auth.example/token?x=1", true),
            ("https://r.example", "http://auth.example/token", false),
            ("https://r.example", "http://r.example/token", false),
            ("https://r.example", "https://u@auth.example/token", false),
            ("https://r.example", "https://127.0.0.1/token", false),
            ("https://r.example", "/token", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/token", true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", false),
            ("http://127.0.0.1:5000", "http://localhost:5001/token", true),
        ] {
            assert_eq!(realm(&Url::parse(base).unwrap(), text).is_ok(), good, "{base} {text}");
        }
    }
}
