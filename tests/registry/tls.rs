//! TLS. Loopback is plain HTTP, so a plain registry sends us to a store with a certificate, as registries do with layers.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use portolan::source::registry::Hosts;
use portolan::{Code, Limits};
use portolan_oci::Document;
use portolan_tests::authority::Authority;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry;
use portolan_tests::server::free_port;
use tempfile::TempDir;

use super::*;

/// A registry with this certificate and an image, and a plain one in front of it that sends every request there.
fn behind((certificate, key): (PathBuf, PathBuf), layout: &Path) -> (Hostile, Registry) {
    let store = Registry::with_tls(&certificate, &key);
    store.push(&format!("oci:{}:2", layout.display()), "app:2");
    let location = format!("https://{}/v2/app/manifests/2", store.host());
    (Hostile::play(vec![on("*", "*").status(307).header("Location", location)]), store)
}

#[tokio::test]
async fn certificates() {
    let authority = Authority::new();
    let layout = fixtures::layout("buildkit-single");
    for (name, subject, days, trusted, says) in [
        ("good", "IP:127.0.0.1", "30", true, ""),
        ("unknown", "IP:127.0.0.1", "30", false, "TLS: invalid peer certificate: UnknownIssuer"),
        ("other-name", "DNS:r.example", "30", true, "not valid for name"),
        ("expired", "IP:127.0.0.1", "-1", true, "TLS: invalid peer certificate: Expired"),
    ] {
        let (front, _store) = behind(authority.sign(name, subject, days), &layout);
        let client = if trusted { client().trust(authority.der()) } else { client() };
        let app = repository(client, &front.host(), "app");
        let found = resolve_tag(&app, "2").await;
        if says.is_empty() {
            let root = found.unwrap();
            let bytes = app.fetch(&root, &Limits::default()).await.unwrap();
            assert!(Document::parse(&bytes).is_ok());
            continue;
        }
        let error = found.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (Code::Unavailable, false), "{name}: {error}");
        assert!(error.to_string().contains(says), "{name}: {error}");
        assert!(error.hint().unwrap().contains("let the system trust that"), "{name}");
        assert_eq!(front.requests().len(), 1, "{name}: a certificate does not get better by asking again");
    }
}

#[tokio::test]
async fn a_certificate_that_signed_itself() {
    let authority = Authority::new();
    let own = (authority.certificate(), authority.certificate().with_file_name("ca.key"));
    let (front, _store) = behind(own, &fixtures::layout("buildkit-single"));
    let app = repository(client(), &front.host(), "app");
    let error = resolve_tag(&app, "2").await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Code::Unavailable, false), "{error}");
    assert!(error.to_string().contains("TLS: invalid peer certificate"), "{error}");
}

/// A server by https that answers a question for tags with what it was given, byte for byte. It is openssl's, which takes no
/// colon in a path.
struct Secure {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Secure {
    fn answering((certificate, key): (PathBuf, PathBuf), answer: &str) -> Secure {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let tags = folder.path().join("v2/app/tags");
        fs::create_dir_all(&tags).unwrap();
        fs::write(tags.join("list?n=1000"), answer).unwrap();
        let mut server = Command::new("openssl");
        server.args(["s_server", "-HTTP", "-quiet", "-accept", &port.to_string(), "-cert"]).arg(certificate);
        server.arg("-key").arg(key).current_dir(folder.path());
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "openssl does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Secure { server, port, _folder: folder }
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn nobody_is_led_from_https_to_http() {
    let authority = Authority::new();
    let server = authority.sign("server", "IP:127.0.0.1", "30");
    let plain = Hostile::play(vec![on("*", "*").body(r#"{"tags":[]}"#)]);
    let redirect = |status: u16, to: &str| {
        format!("HTTP/1.1 {status} Scripted\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    };
    let realm = |realm: &str| {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        let end = "Content-Length: 0\r\nConnection: close\r\n\r\n";
        format!("HTTP/1.1 401 Scripted\r\nWWW-Authenticate: {challenge}\r\n{end}")
    };
    const DOWN: &str = "rule: https is never followed to http";
    const REALM: &str = "rule: a bearer realm is an https URL";
    let tags = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"tags\":[]}\n";
    for (answer, says) in [
        (tags.to_owned(), "no failure"),
        (redirect(301, &format!("http://{}/", plain.host())), DOWN),
        (redirect(307, &format!("http://{}/", plain.host())), DOWN),
        (redirect(308, &format!("http://localhost:{}/", plain.port())), DOWN),
        (redirect(302, "http://r.example/"), DOWN),
        (realm(&format!("http://{}/token", plain.host())), REALM),
        (realm(&format!("http://localhost:{}/token", plain.port())), REALM),
    ] {
        let secure = Secure::answering(server.clone(), &answer);
        let client = client().hosts(Hosts::none().ca(authority.certificate()));
        let app = repository(client, &format!("127.0.0.1:{}", secure.port), "app");
        assert_says(app.tags(None).await, &[says]);
    }
    assert!(plain.requests().is_empty());
}
