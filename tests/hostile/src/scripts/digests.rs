//! Points 1 and 6: digests that do not agree, and digests that are none.

use portolan_oci::{Algorithm, Digest, media_type};

use super::things::{
    BLOB, MANIFEST, blob, bytes, digest, fetch_blob, fetch_manifest, get_blob, get_manifest, manifest, no_head, root,
    serve, stream_blob,
};
use crate::scene::{Scene, on};
use crate::script::{Answer, Ask, Class, Script};

/// Another manifest, as long as [`MANIFEST`].
fn lie() -> String {
    MANIFEST.replace("44136fa3", "54136fa3")
}

/// Other bytes, as many as [`BLOB`] has.
const LIE: &[u8] = b"the bytes of a lie.";

pub(super) fn scripts() -> Vec<Script> {
    [other_bytes(), heads_of_digests(), tags(), no_digests()].concat()
}

/// A body that is not what was asked for, whatever its header says.
fn other_bytes() -> Vec<Script> {
    let resolve = Ask::ResolveDigest(Digest::sha256(MANIFEST.as_bytes()));
    let whole = Ask::Part { of: blob(BLOB), offset: 0, length: BLOB.len() as u32 };
    let mut scripts = Vec::new();
    for (asked, ask, scene, wanted, sent) in [
        ("manifest", fetch_manifest(), get_manifest(), MANIFEST.as_bytes(), lie().into_bytes()),
        ("root", resolve, get_manifest(), MANIFEST.as_bytes(), lie().into_bytes()),
        ("blob", fetch_blob(), get_blob(), BLOB, LIE.to_vec()),
        ("stream", stream_blob(), get_blob(), BLOB, LIE.to_vec()),
        ("part-that-is-all", whole, get_blob(), BLOB, LIE.to_vec()),
    ] {
        for (said, header) in [
            ("no-header", None),
            ("header-that-agrees", Some(digest(&sent))),
            ("header-that-contradicts", Some(digest(wanted))),
            ("header-of-another-algorithm", Some(Digest::of(Algorithm::Sha512, &sent).to_string())),
            ("header-that-is-none", Some("sha256:none".to_owned())),
        ] {
            let scene = header
                .iter()
                .fold(scene.clone().body(&*sent), |scene, header| scene.header("Docker-Content-Digest", header));
            let what =
                format!("The {asked} asked for by digest is another, and comes with a {}.", said.replace('-', " "));
            let script = Script::new(
                1,
                format!("other-bytes-{asked}-{said}"),
                what.replace("a no header", "no header"),
                ask.clone(),
            );
            scripts.push(script.play([no_head(), scene]).fails(&[Class::Mismatch]).for_good().requests(3));
        }
    }
    scripts
}

/// What the head of an answer says of a digest that was asked for.
fn heads_of_digests() -> Vec<Script> {
    let asked = Digest::sha256(MANIFEST.as_bytes());
    let head = || on("HEAD", "/v2/app/manifests/*").header("Content-Type", media_type::OCI_MANIFEST).body(MANIFEST);
    let script = |name: &str, what: &str| Script::new(1, name, what, Ask::ResolveDigest(asked.clone()));
    let said = |text: String| head().header("Docker-Content-Digest", text);
    let sha512 = Digest::of(Algorithm::Sha512, MANIFEST.as_bytes()).to_string();
    vec![
        script("head-of-another", "HEAD of a digest says that it is another.")
            .play([said(digest(lie()))])
            .fails(&[Class::Mismatch])
            .for_good(),
        script("head-says-nothing", "HEAD of a digest says no digest; it was asked for by one.")
            .play([head()])
            .answers(root()),
        script("head-of-another-algorithm", "HEAD of a digest says the SHA-512 one of the same bytes.")
            .play([said(sha512)])
            .answers(root()),
        script(
            "head-of-a-blob-of-another",
            "A digest that is no manifest is a blob, whose HEAD says that it is another.",
        )
        .play([on("HEAD", "/v2/app/blobs/*").header("Docker-Content-Digest", digest("x")).body("{}")])
        .fails(&[Class::Mismatch]),
    ]
}

/// What a tag means where header and body disagree.
fn tags() -> Vec<Script> {
    let of = |algorithm| Digest::of(algorithm, MANIFEST.as_bytes());
    let other = |algorithm| Digest::of(algorithm, b"another").to_string();
    let get = |header: &str| get_manifest().header("Docker-Content-Digest", header).body(MANIFEST);
    let script = |name: &str, what: &str| Script::new(1, name, what, Ask::ResolveTag("1")).play([no_head()]);
    let mut scripts = vec![
        script("tag-without-header", "A tag's body comes without a digest, which is then computed.")
            .play([get_manifest().body(MANIFEST)])
            .answers(root()),
        script("tag-whose-head-says-nothing", "HEAD of a tag says no digest, and GET has the body.")
            .play([get_manifest().body(MANIFEST)])
            .answers(root()),
    ];
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
        let mut meant = manifest(MANIFEST);
        meant.digest = of(algorithm);
        scripts.extend([
            script(&format!("tag-of-{}", algorithm.as_str()), "A tag's body has the digest that its header says.")
                .play([get(meant.digest.as_str())])
                .answers(Answer::root(meant.clone())),
            script(&format!("tag-of-another-{}", algorithm.as_str()), "A tag's body has not the digest of its header.")
                .play([get(&other(algorithm))])
                .fails(&[Class::Mismatch])
                .for_good(),
        ]);
    }
    scripts
}

/// Texts in the place of a digest.
fn no_digests() -> Vec<Script> {
    let hex = digest(MANIFEST).replace("sha256:", "");
    let mut scripts = Vec::new();
    for (name, text) in [
        ("empty", String::new()),
        ("path", "sha256:../../../../etc/passwd".to_owned()),
        ("encoded-path", "sha256:%2e%2e%2f%2e%2e%2f".to_owned()),
        ("upper-case", format!("sha256:{}", hex.to_uppercase())),
        ("upper-case-algorithm", format!("SHA256:{hex}")),
        ("63-digits", format!("sha256:{}", &hex[..63])),
        ("65-digits", format!("sha256:{hex}0")),
        ("unknown-algorithm", format!("blake3:{hex}")),
        ("no-algorithm", hex.clone()),
        ("line-break", format!("sha256:{hex}\r\nX-Injected: yes")),
        ("query", format!("sha256:{hex}?x=y")),
        ("two", format!("sha256:{hex}, sha256:{hex}")),
        ("long", format!("sha256:{}", "a".repeat(8 << 10))),
    ] {
        let script = |where_: &str, what: &str, ask| {
            let what = format!("{what} {}.", name.replace('-', " "));
            Script::new(6, format!("no-digest-{name}-{where_}"), what, ask)
        };
        let said = |scene: Scene| scene.header("Docker-Content-Digest", &text);
        let entry = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{text}","size":2}}]}}"#,
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST
        );
        let typed = on("HEAD", "/v2/app/manifests/1").header("Content-Type", media_type::OCI_MANIFEST).body(MANIFEST);
        // Who has no use for it may list what has a digest of any algorithm.
        let listed = Digest::parse_any(&text).into_iter().collect();
        let stored = bytes("the bytes of a push");
        scripts.extend([
            script("in-a-head", "HEAD of a tag says in the place of a digest:", Ask::ResolveTag("1"))
                .play([said(typed), serve("GET", "1", MANIFEST)])
                .answers(root()),
            script("in-a-get", "The body of a tag comes in the place of a digest with:", Ask::ResolveTag("1"))
                .play([no_head(), said(get_manifest().body(MANIFEST))])
                .answers(root()),
            script("in-a-push", "A registry says that it stored, in the place of a digest:", Ask::PushBlob(stored))
                .play([
                    on("POST", "/v2/app/blobs/uploads/").status(202).header("Location", "/up/1"),
                    said(on("PUT", "/up/1").status(201)),
                ])
                .fails(&[Class::Malformed]),
            script(
                "of-a-referrer",
                "An entry of a list of referrers has in the place of a digest:",
                Ask::Referrers(Digest::sha256(b"subject"), None),
            )
            .play([on("GET", "/v2/app/referrers/*").header("Content-Type", media_type::OCI_INDEX).body(entry)])
            .answers(Answer::Referrers(listed))
            .fails(&[Class::Malformed]),
        ]);
    }
    let mut unknown = blob(BLOB);
    unknown.digest = Digest::parse_any(&format!("blake3:{hex}")).expect("a digest");
    for (name, ask) in [
        ("fetch", Ask::Fetch(unknown.clone())),
        ("stream", Ask::Stream(unknown.clone())),
        ("part", Ask::Part { of: unknown.clone(), offset: 0, length: 3 }),
        ("resolve", Ask::ResolveDigest(unknown.digest.clone())),
        ("referrers", Ask::Referrers(unknown.digest.clone(), None)),
    ] {
        let what = "A digest is asked for that no client can compute, and so none can verify.";
        let script = Script::new(6, format!("unknown-algorithm-asked-{name}"), what, ask);
        scripts.push(script.play([on("GET", "*").body(BLOB)]).fails(&[Class::Unsupported]).requests(0));
    }
    scripts
}
