//! May this URL be asked? Every URL that a registry sends us to (a redirect, a bearer realm) passes here first.
//!
//! Pure: tables in, tables out. The rules are those that other clients learned the hard way: credentials sent to foreign
//! origins (CVE-2020-15157, GHSA-vh4v-2xq2-g5cg), realms and redirects that point into the network of whoever pulls
//! (GHSA-28r5-37g7-p6mp). What a *name* resolves to is checked where it is dialled (`dial`), by the [`Dial`] that is
//! decided here.

use std::net::IpAddr;

use url::{Host, Url};

use super::connection::Connection;
use super::text;
use portolan_oci::registry::address::Reach;

/// Which addresses the connection may be made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dial {
    /// Any: the user named this registry.
    Named,
    /// Any that a server can have: whoever sent us is behind the wall already.
    NotForbidden,
    /// Public ones.
    Public,
}

impl Dial {
    /// Whether an address that a name resolved to may be connected to.
    pub(super) fn admits(self, reach: Reach) -> bool {
        match self {
            Dial::Named => true,
            Dial::NotForbidden => reach != Reach::Forbidden,
            Dial::Public => reach == Reach::Public,
        }
    }
}

/// The registry that sends us somewhere.
#[derive(Debug, Clone)]
pub(super) struct Sender<'a> {
    /// Its own origin.
    pub base: &'a Url,
    /// Where we reached it. `Public` where that is unknown: behind a proxy, which dials for us.
    pub reach: Reach,
    /// What it is connected to by.
    pub connection: Connection,
    /// Token servers that the configuration lets be at a private address, `host[:port]`.
    pub realms: Vec<&'a str>,
    /// The configuration lets it send us into a private network.
    pub inside: bool,
}

/// One request's destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    pub url: Url,
    pub dial: Dial,
    /// It is the origin that the credentials belong to.
    pub own: bool,
    /// What it is connected to by.
    pub connection: Connection,
}

impl Hop {
    /// For who was led away and back again, by somebody else: nothing is shown.
    pub(super) fn disowned(self) -> Hop {
        Hop { own: false, connection: self.connection.for_others(), ..self }
    }
}

/// Why a URL is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub rule: &'static str,
    pub detail: String,
}

fn refused<T>(rule: &'static str, detail: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { rule, detail: detail.into() })
}

/// The first hop: what the user asked for.
pub(super) fn start(url: Url) -> Hop {
    Hop { url, dial: Dial::Named, own: true, connection: Connection::default() }
}

/// The rule that a registry breaks which does not know that it is reached by https.
pub(super) const DOWNGRADE: &str = "https is never followed to http";

/// What a `Location` is for, as messages say it.
#[derive(Debug, Clone, Copy)]
struct Led {
    rule: &'static str,
    what: &'static str,
}

const REDIRECT: Led = Led { rule: "a redirect says where to", what: "the redirect" };
const UPLOAD: Led = Led { rule: "an upload says where it goes on", what: "the upload" };

/// Where a redirect answered at `from` leads.
pub(super) fn redirect(sender: &Sender<'_>, from: &Url, location: Option<&str>) -> Result<Hop, Refused> {
    followed(sender, located(from, location, REDIRECT)?)
}

/// Where an upload goes on, as it was answered at `from`. The rules are those of [`redirect`]: credentials were once sent
/// wherever a `Location` pointed (GHSA-jxpm-75mh-9fp7).
pub(super) fn upload(sender: &Sender<'_>, from: &Url, location: Option<&str>) -> Result<Hop, Refused> {
    followed(sender, located(from, location, UPLOAD)?)
}

fn followed(sender: &Sender<'_>, url: Url) -> Result<Hop, Refused> {
    if url.origin() == sender.base.origin() {
        return Ok(Hop { url, dial: Dial::Named, own: true, connection: sender.connection.clone() });
    }
    let behind = sender.reach != Reach::Public || sender.inside;
    let dial = if behind { Dial::NotForbidden } else { Dial::Public };
    literal_admitted(&url, dial, "a registry at a public address is not followed to a private one")?;
    Ok(Hop { url, dial, own: false, connection: sender.connection.for_others() })
}

/// The token server that a challenge names.
pub(super) fn realm(sender: &Sender<'_>, realm: &str) -> Result<Hop, Refused> {
    let url = parsed(Url::parse(realm), realm, "a bearer realm is an https URL")?;
    token_server(sender, url)
}

/// Where a redirect of the token server at `from` leads. The rules of [`realm`] hold at every step.
pub(super) fn realm_redirect(sender: &Sender<'_>, from: &Url, location: Option<&str>) -> Result<Hop, Refused> {
    let url = located(from, location, REDIRECT)?;
    let same = url.origin() == from.origin();
    let hop = token_server(sender, url)?;
    Ok(Hop { own: same, ..hop })
}

fn token_server(sender: &Sender<'_>, url: Url) -> Result<Hop, Refused> {
    let allowed = url.scheme() == "https" || (url.scheme() == "http" && sender.base.scheme() == "http");
    if !allowed {
        return refused("a bearer realm is an https URL", format!("the realm is {}", text::origin(&url)));
    }
    without_userinfo(&url)?;
    if url.origin() == sender.base.origin() {
        return Ok(Hop { url, dial: Dial::Named, own: true, connection: sender.connection.clone() });
    }
    let connection = sender.connection.for_others();
    let configured = sender.realms.contains(&text::authority(&url).as_str());
    // Literals are stricter than names: a registry inside a private network has a name for its token server.
    literal_admitted(
        &url,
        if configured { Dial::NotForbidden } else { Dial::Public },
        "a bearer realm is not at a private address, unless it is the registry itself",
    )?;
    let behind = sender.reach != Reach::Public || configured;
    let dial = if behind { Dial::NotForbidden } else { Dial::Public };
    Ok(Hop { url, dial, own: true, connection })
}

fn located(from: &Url, location: Option<&str>, Led { rule, what }: Led) -> Result<Url, Refused> {
    let location = match location.map(str::trim) {
        None => return refused(rule, format!("{what} has no Location")),
        Some("") => return refused(rule, format!("{what}'s Location is empty")),
        Some(location) => location,
    };
    let mut url = parsed(from.join(location), location, rule)?;
    url.set_fragment(None);
    match (from.scheme(), url.scheme()) {
        ("https", "https") | ("http", "http" | "https") => {}
        ("https", "http") => {
            return refused(DOWNGRADE, format!("{what} leads to {}", text::origin(&url)));
        }
        (_, other) => {
            return refused("a redirect stays with http and https", format!("{what} leads to {other}:"));
        }
    }
    without_userinfo(&url)?;
    Ok(url)
}

fn parsed(url: Result<Url, url::ParseError>, shown: &str, rule: &'static str) -> Result<Url, Refused> {
    // What does not parse cannot have its query cut off, so nothing of it is shown but its beginning.
    let shown = || text::clean(shown.split('?').next().unwrap_or_default(), &[]);
    url.or_else(|error| refused(rule, format!("{:?} is no URL: {error}", shown())))
}

fn without_userinfo(url: &Url) -> Result<(), Refused> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    refused("a URL that a registry sends carries no user and password", format!("it is {}", text::origin(url)))
}

fn literal_admitted(url: &Url, dial: Dial, rule: &'static str) -> Result<(), Refused> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    let reach = Reach::of(address);
    if dial.admits(reach) {
        return Ok(());
    }
    let rule = if reach == Reach::Forbidden {
        "link-local, metadata, multicast and unspecified addresses are never asked"
    } else {
        rule
    };
    refused(rule, format!("it leads to {}", text::origin(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: (&str, Reach) = ("https://r.example", Reach::Public);
    const BEHIND: (&str, Reach) = ("https://r.corp", Reach::Private);
    const LOCAL: (&str, Reach) = ("http://127.0.0.1:5000", Reach::Private);

    fn sender(base: &Url, reach: Reach) -> Sender<'_> {
        Sender { base, reach, connection: Connection::default(), realms: Vec::new(), inside: false }
    }

    /// `url dial own`, or the rule that was broken.
    fn shown(hop: Result<Hop, Refused>) -> String {
        match hop {
            Ok(Hop { url, dial, own, .. }) => format!("{url} {dial:?}{}", if own { " own" } else { "" }),
            Err(refused) => refused.rule.to_owned(),
        }
    }

    #[test]
    fn redirects() {
        const WHERE: &str = "a redirect says where to";
        const DOWN: &str = "https is never followed to http";
        const SCHEME: &str = "a redirect stays with http and https";
        const USER: &str = "a URL that a registry sends carries no user and password";
        const PRIVATE: &str = "a registry at a public address is not followed to a private one";
        const NEVER: &str = "link-local, metadata, multicast and unspecified addresses are never asked";
        for ((base, reach), location, expected) in [
            (PUBLIC, "/b", "https://r.example/b Named own"),
            (PUBLIC, "b?x=1#y", "https://r.example/v2/a/b?x=1 Named own"),
            (PUBLIC, "//cdn.example/b", "https://cdn.example/b Public"),
            (PUBLIC, "https://cdn.example/b?sig=1", "https://cdn.example/b?sig=1 Public"),
            (PUBLIC, "https://r.example:444/b", "https://r.example:444/b Public"),
            (PUBLIC, "https://R.EXAMPLE:443/b", "https://r.example/b Named own"),
            (PUBLIC, "https://8.8.8.8/b", "https://8.8.8.8/b Public"),
            (PUBLIC, "http://r.example/b", DOWN),
            (PUBLIC, "http://cdn.example/b", DOWN),
            (PUBLIC, "file:///etc/passwd", SCHEME),
            (PUBLIC, "ftp://cdn.example/b", SCHEME),
            (PUBLIC, "data:,x", SCHEME),
            (PUBLIC, "", WHERE),
            (PUBLIC, "   ", WHERE),
            (PUBLIC, "https://", WHERE),
            (PUBLIC, "https://[::1", WHERE),
            (PUBLIC, "https://cdn.example:99999/", WHERE),
            (PUBLIC, "https://user@cdn.example/b", USER),
            (PUBLIC, "https://user:pw@r.example/b", USER),
            (PUBLIC, "https://10.0.0.1/b", PRIVATE),
            (PUBLIC, "https://127.0.0.1/b", PRIVATE),
            (PUBLIC, "https://2130706433/b", PRIVATE),
            (PUBLIC, "https://0x7f.1/b", PRIVATE),
            (PUBLIC, "https://127.0.0.1./b", PRIVATE),
            (PUBLIC, "https://[::ffff:10.0.0.1]/b", PRIVATE),
            (PUBLIC, "https://169.254.169.254/latest", NEVER),
            (PUBLIC, "https://[fe80::1]/b", NEVER),
            (PUBLIC, "https://0.0.0.0/b", NEVER),
            (BEHIND, "https://10.0.0.1/b", "https://10.0.0.1/b NotForbidden"),
            (BEHIND, "https://s3.corp/b", "https://s3.corp/b NotForbidden"),
            (BEHIND, "https://169.254.169.254/b", NEVER),
            (BEHIND, "http://10.0.0.1/b", DOWN),
            (LOCAL, "http://127.0.0.1:5001/b", "http://127.0.0.1:5001/b NotForbidden"),
            (LOCAL, "http://127.0.0.1:5000/b", "http://127.0.0.1:5000/b Named own"),
            (LOCAL, "https://127.0.0.1:5000/b", "https://127.0.0.1:5000/b NotForbidden"),
            (LOCAL, "http://[fd00:ec2::254]/b", NEVER),
        ] {
            let base = Url::parse(base).unwrap();
            let sender = sender(&base, reach);
            let from = base.join("/v2/a/manifests").unwrap();
            assert_eq!(shown(redirect(&sender, &from, Some(location))), expected, "{location:?}");
        }
        let base = Url::parse("https://r.example").unwrap();
        assert_eq!(shown(redirect(&sender(&base, Reach::Public), &base, None)), WHERE);
    }

    #[test]
    fn uploads() {
        let base = Url::parse("https://r.example").unwrap();
        let sender = sender(&base, Reach::Public);
        let from = base.join("/v2/a/blobs/uploads/").unwrap();
        for (location, expected) in [
            (Some("1?_state=x"), "https://r.example/v2/a/blobs/uploads/1?_state=x Named own"),
            (Some("/up/1"), "https://r.example/up/1 Named own"),
            (Some("https://cdn.example/1"), "https://cdn.example/1 Public"),
            (Some("http://r.example/1"), "https is never followed to http"),
            (Some("https://10.0.0.1/1"), "a registry at a public address is not followed to a private one"),
            (Some("https://["), "an upload says where it goes on"),
            (Some(" "), "an upload says where it goes on"),
            (None, "an upload says where it goes on"),
        ] {
            assert_eq!(shown(upload(&sender, &from, location)), expected, "{location:?}");
        }
    }

    #[test]
    fn https_stays_https_however_it_was_reached() {
        let base = Url::parse("http://localhost:5000").unwrap();
        let sender = sender(&base, Reach::Private);
        let from = Url::parse("https://cdn.example/x").unwrap();
        assert_eq!(
            shown(redirect(&sender, &from, Some("http://localhost:5000/y"))),
            "https is never followed to http",
            "not even back to where we came from"
        );
    }

    #[test]
    fn realms() {
        const HTTPS: &str = "a bearer realm is an https URL";
        const USER: &str = "a URL that a registry sends carries no user and password";
        const PRIVATE: &str = "a bearer realm is not at a private address, unless it is the registry itself";
        const NEVER: &str = "link-local, metadata, multicast and unspecified addresses are never asked";
        for ((base, reach), text, expected) in [
            (PUBLIC, "https://auth.example/token?x=1", "https://auth.example/token?x=1 Public own"),
            (PUBLIC, "https://r.example/token", "https://r.example/token Named own"),
            (PUBLIC, "https://8.8.8.8/token", "https://8.8.8.8/token Public own"),
            (PUBLIC, "http://auth.example/token", HTTPS),
            (PUBLIC, "http://r.example/token", HTTPS),
            (PUBLIC, "file:///token", HTTPS),
            (PUBLIC, "/token", HTTPS),
            (PUBLIC, "", HTTPS),
            (PUBLIC, "https://user:pw@auth.example/token", USER),
            (PUBLIC, "https://10.0.0.1/token", PRIVATE),
            (PUBLIC, "https://127.0.0.1/token", PRIVATE),
            (PUBLIC, "https://[::1]/token", PRIVATE),
            (PUBLIC, "https://169.254.169.254/token", NEVER),
            (BEHIND, "https://auth.corp/token", "https://auth.corp/token NotForbidden own"),
            (BEHIND, "https://10.0.0.1/token", PRIVATE),
            (BEHIND, "http://auth.corp/token", HTTPS),
            (LOCAL, "http://127.0.0.1:5000/token", "http://127.0.0.1:5000/token Named own"),
            (LOCAL, "http://127.0.0.1:5001/token", PRIVATE),
            (LOCAL, "http://localhost:5001/token", "http://localhost:5001/token NotForbidden own"),
            (LOCAL, "http://100.100.100.200/token", NEVER),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(shown(realm(&sender(&base, reach), text)), expected, "{base} {text:?}");
        }
    }

    #[test]
    fn realms_are_checked_at_every_redirect() {
        let base = Url::parse("https://r.example").unwrap();
        let sender = sender(&base, Reach::Public);
        let from = Url::parse("https://auth.example/token").unwrap();
        for (location, expected) in [
            ("/other", "https://auth.example/other Public own"),
            ("https://two.example/token", "https://two.example/token Public"),
            ("http://auth.example/token", "https is never followed to http"),
            ("https://10.0.0.1/", "a bearer realm is not at a private address, unless it is the registry itself"),
            ("https://[::]/", "link-local, metadata, multicast and unspecified addresses are never asked"),
        ] {
            assert_eq!(shown(realm_redirect(&sender, &from, Some(location))), expected, "{location}");
        }
    }

    #[test]
    fn what_the_configuration_allows_and_no_more() {
        const PRIVATE: &str = "a bearer realm is not at a private address, unless it is the registry itself";
        const NEVER: &str = "link-local, metadata, multicast and unspecified addresses are never asked";
        let base = Url::parse("https://r.example").unwrap();
        let realms = vec!["10.0.0.7:8443", "auth.corp", "[fd00::1]", "169.254.169.254"];
        let sender = Sender { realms, inside: true, ..sender(&base, Reach::Public) };
        for (text, expected) in [
            ("https://10.0.0.7:8443/token", "https://10.0.0.7:8443/token NotForbidden own"),
            ("https://auth.corp/token", "https://auth.corp/token NotForbidden own"),
            ("https://[fd00::1]/token", "https://[fd00::1]/token NotForbidden own"),
            ("https://10.0.0.7/token", PRIVATE),
            ("https://10.0.0.8:8443/token", PRIVATE),
            ("https://other.corp/token", "https://other.corp/token Public own"),
            ("http://10.0.0.7:8443/token", "a bearer realm is an https URL"),
            ("https://169.254.169.254/token", NEVER),
        ] {
            assert_eq!(shown(realm(&sender, text)), expected, "{text}");
        }
        for (location, expected) in [
            ("https://10.0.0.1/b", "https://10.0.0.1/b NotForbidden"),
            ("https://s3.corp/b", "https://s3.corp/b NotForbidden"),
            ("https://169.254.169.254/b", NEVER),
            ("http://10.0.0.1/b", "https is never followed to http"),
        ] {
            assert_eq!(shown(redirect(&sender, &base, Some(location))), expected, "{location}");
        }
    }

    #[test]
    fn where_it_leads_only_the_authorities_come_along() {
        use crate::source::registry::connection::Terms;
        use crate::source::registry::hosts::{KeyPair, Pem};

        let authorities = vec![Pem::File("ca.pem".into())];
        let client = Some(KeyPair { certificate: Pem::File("c.pem".into()), key: None });
        let trusting = Connection::new(Terms { authorities: authorities.clone(), ..Terms::default() });
        let full = Connection::new(Terms { authorities, client, unverified: true, timeout: None });
        let base = Url::parse("https://r.example").unwrap();
        let sender = Sender { connection: full.clone(), ..sender(&base, Reach::Public) };
        let own = redirect(&sender, &base, Some("/b")).unwrap();
        assert_eq!(own.connection, full);
        assert_eq!(own.disowned().connection, trusting);
        for hop in [
            redirect(&sender, &base, Some("https://cdn.example/b")),
            redirect(&sender, &base, Some("https://r.example:444/b")),
            realm(&sender, "https://auth.example/token"),
        ] {
            assert_eq!(hop.unwrap().connection, trusting);
        }
        assert_eq!(realm(&sender, "https://r.example/token").unwrap().connection, full);
    }

    #[test]
    fn names_are_checked_by_what_they_resolve_to() {
        use Reach::{Forbidden, Private, Public};
        for (dial, admitted) in [
            (Dial::Named, &[Public, Private, Forbidden][..]),
            (Dial::NotForbidden, &[Public, Private]),
            (Dial::Public, &[Public]),
        ] {
            for reach in [Public, Private, Forbidden] {
                assert_eq!(dial.admits(reach), admitted.contains(&reach), "{dial:?} {reach:?}");
            }
        }
    }
}
