//! Components that were built when a version was released, and are kept to the byte (`fixtures/components`): what they ask
//! for and answer is served for ever.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use portolan::source::layout::Layout;
use portolan::{Body, Component, Frontend, Host, HostBuilder, ImageQuery, Run, RunError};
use portolan_oci::Digest;
use portolan_tests::fixtures;

const REF: &str = "oci-layout://store:1.4";
const ROOT: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn folder() -> PathBuf {
    fixtures::folder().join("components")
}

fn builder() -> HostBuilder {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    Host::builder().platform("linux/amd64").cache_dir(cache)
}

async fn load(host: &Host, name: &str) -> Frontend {
    let file = folder().join(name);
    host.load(Component::File(&file)).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Status and text.
async fn ask(host: &Host, frontend: &Frontend, arguments: &[(&str, &str)]) -> Result<(u8, String), RunError> {
    let store = Layout::open(&fixtures::layout("buildkit-multi"), "oci-layout://store").unwrap();
    let mut run = Run::new(frontend).store("store", Arc::new(store));
    for (name, value) in arguments {
        run = run.argument(*name, *value);
    }
    let answer = host.run(run).await?;
    let text = match answer.body {
        Body::Text(text) => text,
        Body::Bytes(bytes) => format!("{bytes:?}"),
        Body::Content { descriptor, .. } => format!("content {}", descriptor.digest),
    };
    Ok((answer.status, text))
}

#[test]
fn they_are_what_they_were() {
    let told = fs::read_to_string(folder().join("README.md")).unwrap();
    let mut kept = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".wasm") {
            let bytes = fs::read(&file).unwrap();
            let line = format!("| `{name}` | `{}` |", Digest::sha256(&bytes).hex());
            assert!(told.contains(&line), "fixtures/components/README.md has no line that starts with {line}");
            assert!(bytes.len() < 300_000, "{name} is too large to be kept");
            kept += 1;
        }
    }
    assert_eq!(kept, 3, "components that were built once stay");
}

#[tokio::test]
async fn every_function_of_0_1_0_is_served() {
    let host = builder().build().unwrap();
    let contract = load(&host, "contract-0.1.0.wasm").await;
    let info = contract.describe().await.unwrap();
    assert_eq!((info.name.as_str(), info.parameters.len(), info.formats.len()), ("contract", 9, 2));

    let (store, reference) = ("oci-layout://store", format!("oci-layout://store@{ROOT}"));
    let root = format!("{INDEX} {ROOT} 3503");
    let resolved = format!("{store} {root}");
    let entries = fs::read(fixtures::layout("buildkit-multi").join("index.json")).unwrap();
    let entries_of = format!("{store} {INDEX} {} {}", Digest::sha256(&entries), entries.len());
    let entries = String::from_utf8(entries).unwrap();
    let document = fs::read(fixtures::layout("buildkit-multi").join("blobs/sha256").join(&ROOT[7..])).unwrap();
    let piece = format!("{:?}", &document[1..5]);
    let document = String::from_utf8(document).unwrap();
    for (arguments, expected) in [
        (
            &[("do", "arguments"), ("with", "a"), ("with", "b"), ("format", "json")][..],
            "do=arguments\nwith=a\nwith=b\nformat=json",
        ),
        (&[("do", "platform")], "linux/amd64"),
        (&[("do", "features")], "[]"),
        (&[("do", "log"), ("with", "hello")], "logged"),
        (&[("do", "resolve"), ("with", &reference)], &resolved),
        (&[("do", "resolve"), ("with", REF)], "error unsupported"),
        (&[("do", "resolve"), ("with", "docker.io/library/alpine:3")], "error denied"),
        (&[("do", "resolve"), ("with", "no reference")], "error invalid-reference"),
        (&[("do", "resolve-all"), ("with", &reference), ("with", REF)], &format!("{resolved}\nerror unsupported")),
        (&[("do", "entries"), ("with", store)], &entries_of),
        (&[("do", "fetch"), ("with", store), ("and", &root)], "3503"),
        (&[("do", "fetch"), ("with", store), ("and", &root.replace("0c29", "0000"))], "error not-found"),
        (&[("do", "fetch"), ("with", "oci-layout://other"), ("and", &root)], "error denied"),
        (&[("do", "prefetch"), ("with", store), ("and", &root)], "hinted"),
        (&[("do", "read"), ("with", store), ("and", &root)], &piece),
        (&[("do", "tags"), ("with", store)], "error unsupported"),
        (&[("do", "referrers"), ("with", store), ("and", ROOT)], "error unsupported"),
        (&[("do", "push"), ("with", store), ("and", &root)], "error denied"),
        (&[("do", "copy"), ("with", store), ("push", "docker.io/acme/app"), ("and", &root)], "error denied"),
        (&[("do", "match-name"), ("with", &entries), ("and", ":1.4")], "[0]"),
        (&[("do", "match-name"), ("with", &entries), ("and", ":nope")], "[]"),
        (&[("do", "select"), ("with", &document), ("and", "linux/386")], "[3]"),
        (&[("do", "content"), ("with", store), ("and", &root)], &format!("content {ROOT}")),
    ] {
        let (status, text) =
            ask(&host, &contract, arguments).await.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert_eq!((status, text.as_str()), (0, expected), "{arguments:?}");
    }
    assert_eq!(ask(&host, &contract, &[("do", "bytes")]).await.unwrap(), (6, "[0, 1, 255]".to_owned()));
    for (code, status) in [("not-found", 5), ("denied", 4), ("budget", 3), ("conflict", 1), ("of-tomorrow", 1)] {
        let error = ask(&host, &contract, &[("do", "fail"), ("with", "why"), ("and", code)]).await.unwrap_err();
        assert_eq!((error.status(), error.hint()), (status, Some("hint")), "{error}");
        assert!(error.to_string().contains("why"), "{error}");
    }
}

#[tokio::test]
async fn the_typed_question_is_answered() {
    let host = builder().build().unwrap();
    let contract = load(&host, "contract-0.1.0.wasm").await;
    let query = ImageQuery::new(REF).platform("linux/arm64").with_manifest().option("mode", "exact");
    let image = host.resolve_image(query.resolver(&contract)).await.unwrap();
    assert_eq!((image.repository.as_str(), image.platform.as_str()), (REF, "linux/arm64"));
    assert_eq!(image.platforms, ["mode=exact"]);
    assert_eq!(image.manifest.bytes.as_deref(), Some(&b"manifest"[..]));
    assert_eq!((image.index.unwrap().bytes, image.config.bytes), (None, None));
}

/// One with a standard library that was built for WASI 0.2, and with it another strategy.
#[tokio::test]
async fn a_frontend_and_a_strategy_of_then_work_together() {
    let host = builder().build().unwrap();
    let strategy = folder().join("strategy-0.1.0.wasm");
    let eager = builder().strategy(Component::File(&strategy)).build().unwrap();
    // By a prefix of the name, which the bundled strategy does not take.
    for (host, reference, status) in
        [(&host, REF, 0), (&eager, REF, 0), (&host, "oci-layout://store:1.", 5), (&eager, "oci-layout://store:1.", 0)]
    {
        let frontend = load(host, "runs-as-0.1.0.wasm").await;
        let answer = ask(host, &frontend, &[("ref", reference)]).await;
        match answer {
            Ok(answer) => assert_eq!((answer, status), ((0, "root\n".to_owned()), 0), "{reference}"),
            Err(error) => assert_eq!(error.status(), status, "{reference}: {error}"),
        }
    }
}
