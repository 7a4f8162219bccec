//! TLS. Loopback is plain HTTP, so a plain registry sends us to a store with a certificate, as registries do with layers.

use std::path::{Path, PathBuf};

use portolan::{Code, Limits};
use portolan_oci::Document;
use portolan_tests::authority::Authority;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry;

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
