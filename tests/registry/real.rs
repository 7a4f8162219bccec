//! Debian's registry, filled by skopeo: what comes out is what was in the layout, byte for byte.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use portolan::source::Source;
use portolan::source::registry::Builder;
use portolan::{Code, Limits};
use portolan_oci::{Descriptor, Document, Index};
use portolan_tests::fixtures;
use portolan_tests::olareg;
use portolan_tests::registry::{Registry, User, run};

use super::*;

/// The layouts that skopeo can push, and the name that it finds each by. (It takes neither nested indexes nor Docker's
/// types in a layout; a scripted registry serves those in `documents`.)
pub(super) const LAYOUTS: [(&str, &str); 7] = [
    ("buildkit-artifact", "1"),
    ("buildkit-classic", "1"),
    ("buildkit-multi", "1.4"),
    ("buildkit-sbom", "1"),
    ("buildkit-single", "2"),
    ("skopeo-names", "3.16"),
    ("umoci", "latest"),
];

const ADA: User = User { name: "ada", password: "colon:and:more" };

/// The root that the layout's index.json has under `name`.
pub(super) fn root(layout: &Path, name: &str) -> Descriptor {
    let index = Index::parse(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let named = |entry: &&Descriptor| {
        entry.annotations.get("org.opencontainers.image.ref.name").is_some_and(|found| found == name)
    };
    index.manifests.iter().find(named).unwrap().bare()
}

/// Fetches all documents below `root` and compares them with the layout's. Answers how many there were.
pub(super) async fn compare(source: &Arc<dyn Source>, layout: &Path, root: Descriptor) -> usize {
    let (mut waiting, mut compared) = (vec![root], 0);
    while let Some(descriptor) = waiting.pop() {
        let bytes = source.fetch(&descriptor, &Limits::default()).await.unwrap();
        let digest = &descriptor.digest;
        let stored = fs::read(layout.join("blobs").join(digest.algorithm_name()).join(digest.hex())).unwrap();
        assert!(stored == bytes, "{digest}");
        compared += 1;
        match descriptor.kind() {
            portolan_oci::Kind::Index | portolan_oci::Kind::Manifest => match Document::parse(&bytes).unwrap() {
                Document::Index(index) => waiting.extend(index.manifests),
                Document::Manifest(manifest) => waiting.push(manifest.config),
            },
            _ => {}
        }
    }
    compared
}

fn push_all(registry: &Registry) {
    for (name, tag) in LAYOUTS {
        registry.push(&format!("oci:{}:{tag}", fixtures::layout(name).display()), &format!("fixtures/{name}:{tag}"));
    }
}

async fn compare_all(registry: &Registry, client: impl Fn() -> Builder) {
    let client = client().build().unwrap();
    for (name, tag) in LAYOUTS {
        let reference = format!("{}/fixtures/{name}", registry.host()).parse().unwrap();
        let source = client.repository(&reference);
        let layout = fixtures::layout(name);
        let root = root(&layout, tag);
        assert_eq!(resolve_tag(&source, tag).await.unwrap(), root, "{name}:{tag}");
        let by_digest = source.resolve(Target::Digest(&root.digest), &Limits::default()).await.unwrap();
        assert_eq!(by_digest, root, "{name}@{}", root.digest);
        assert!(compare(&source, &layout, root).await > 1, "{name}");
        assert_eq!(source.tags(None).await.unwrap().tags, [tag]);
    }
}

#[tokio::test]
async fn images_come_out_as_they_went_in() {
    let registry = Registry::start();
    push_all(&registry);
    compare_all(&registry, client).await;
}

/// The attestations of an image are what refers to it, where they have a subject.
#[tokio::test]
async fn referrers_are_listed_where_the_registry_keeps_them() {
    let registry = olareg::start();
    let layout = fixtures::layout("buildkit-sbom");
    registry.push(&format!("oci:{}:1", layout.display()), "fixtures/sbom:1");
    let source = repository(client(), registry.host(), "fixtures/sbom");
    let root = resolve_tag(&source, "1").await.unwrap();
    let Document::Index(index) = Document::parse(&source.fetch(&root, &Limits::default()).await.unwrap()).unwrap()
    else {
        panic!("the fixture's root is an index")
    };
    let of = |entry: &Descriptor| entry.annotations.get("vnd.docker.reference.digest").cloned();
    let mut found = 0;
    for attestation in index.manifests.iter().filter(|entry| of(entry).is_some()) {
        let subject = of(attestation).unwrap().parse().unwrap();
        let list = async |kind| {
            let listed = source.referrers(&subject, kind, &Limits::default()).await.unwrap();
            Index::parse(&listed).unwrap().manifests
        };
        let listed = list(None).await;
        let digests: Vec<&Digest> = listed.iter().map(|entry| &entry.digest).collect();
        assert_eq!(digests, [&attestation.digest], "{subject}");
        let kind = listed[0].artifact_type.clone().unwrap();
        assert_eq!(list(Some(&kind)).await, listed);
        assert_eq!(list(Some("application/vnd.example.other")).await, []);
        found += 1;
    }
    assert_eq!(found, 2);
}

#[tokio::test]
async fn a_user_is_let_in_by_config_json_and_by_a_helper() {
    let registry = Registry::for_user(ADA);
    push_all(&registry);
    let folder = registry.folder();
    let host = registry.host();

    let nobody = repository(client(), host, "fixtures/umoci");
    assert_says(resolve_tag(&nobody, "latest").await, &["unauthorized: cannot resolve ", "answered 401"]);
    let hint = resolve_tag(&nobody, "latest").await.unwrap_err().hint().unwrap().to_owned();
    assert!(hint.contains(&format!("log in to {host}")), "{hint}");

    let config = |name: &str, text: String| -> PathBuf {
        let place = folder.join(name);
        fs::create_dir(&place).unwrap();
        fs::write(place.join("config.json"), text).unwrap();
        place
    };
    let auth = base64(&format!("{}:{}", ADA.name, ADA.password));
    let stored = config("stored", format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#));
    compare_all(&registry, || client().docker_config(Some(stored.clone()))).await;

    let namespace = config("namespace", format!(r#"{{"auths":{{"{host}/fixtures":{{"auth":"{auth}"}}}}}}"#));
    compare_all(&registry, || client().auth_file(Some(namespace.join("config.json")))).await;

    let wrong = base64("ada:wrong");
    let refused = config("refused", format!(r#"{{"auths":{{"{host}":{{"auth":"{wrong}"}}}}}}"#));
    let refused = repository(client().docker_config(Some(refused)), host, "fixtures/umoci");
    let error = resolve_tag(&refused, "latest").await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthorized);
    assert!(error.hint().unwrap().contains("the stored credentials for"), "{:?}", error.hint());
    assert!(!format!("{error} {error:?}").contains(&wrong));

    let helpers = folder.join("bin");
    fs::create_dir(&helpers).unwrap();
    let answer = format!(r#"{{"ServerURL":"'$server'","Username":"{}","Secret":"{}"}}"#, ADA.name, ADA.password);
    let script = format!("#!/bin/sh\nread server\necho $server >> {}/asked\necho '{answer}'\n", helpers.display());
    // A shell writes the script: a file that this process has open cannot be executed while another test forks.
    let helper = helpers.join("docker-credential-fixture");
    run(Command::new("sh").args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &script]).arg(&helper), "dash");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let helped = config("helped", format!(r#"{{"credHelpers":{{"{host}":"fixture"}}}}"#));
    compare_all(&registry, || client().docker_config(Some(helped.clone())).credential_helpers(helpers.clone())).await;
    let asked = fs::read_to_string(helpers.join("asked")).unwrap();
    assert!(asked.lines().all(|line| line == host), "{asked}");
    assert_eq!(asked.lines().count(), LAYOUTS.len(), "once for each repository");
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}
