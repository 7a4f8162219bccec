//! What a copy is made of: everything below roots, in an order in which it can be written, and what refers to it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod build;

use std::collections::BTreeSet;

use build::{Built, REPOSITORY, artifact, attestation, image, index, layer, layered};
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::attestation::{ATTESTATION_MANIFEST, REFERENCE_DIGEST, REFERENCE_TYPE};
use portolan_sdk::oci::{Descriptor, Digest, Document, media_type};
use portolan_sdk::traverse::{self, Content, NESTING};
use portolan_sdk::{Failure, Host as _};
use portolan_strategy::Bundled;

const STORE: &str = "oci-layout://s";

fn mock(roots: &[&Built]) -> Mock<Bundled> {
    roots.iter().fold(Mock::new(Bundled), |mock, root| root.in_repository(mock, REPOSITORY, Some("1")))
}

fn everything(roots: &[&Built]) -> Result<Content, Failure> {
    let descriptors: Vec<Descriptor> = roots.iter().map(|root| root.descriptor.clone()).collect();
    traverse::everything(&mock(roots), REPOSITORY, &descriptors)
}

fn digests(descriptors: &[Descriptor]) -> Vec<&str> {
    descriptors.iter().map(|descriptor| descriptor.digest.as_str()).collect()
}

#[test]
fn everything_stands_behind_what_it_names_and_once() {
    let shared = layer("shared");
    let (one, two) = (layered("linux/amd64", [shared.clone(), layer("one")]), layered("linux/arm64", [shared]));
    let statement = attestation(None).said("unknown/unknown");
    let inner = index([two.clone(), one.clone(), artifact()]);
    let root =
        index([one.clone().said("linux/amd64"), inner.clone(), statement.clone(), layer("cached"), inner.clone()]);
    let other = index([two.clone()]);
    let content = everything(&[&root, &other, &root]).unwrap();

    let anything = artifact();
    let documents = [&one, &two, &anything, &inner, &statement, &root, &other].map(Built::digest);
    assert_eq!(digests(&content.documents), documents);
    assert_eq!(content.documents[0].platform, Some(build::parse("linux/amd64")), "as its entry names it");
    // Two configs of images, of the artifact and of the statement; three layers, and what an index names that is no document.
    assert_eq!(content.blobs.len(), 4 + 2 + 1);
    assert!(content.elsewhere.is_empty());

    let mock = mock(&[&root, &other]);
    let mut there = BTreeSet::new();
    for descriptor in content.in_order() {
        assert!(there.insert(descriptor.digest.clone()), "{} stands there twice", descriptor.digest);
        if !content.documents.contains(descriptor) {
            continue;
        }
        let named = match Document::parse(&mock.fetch(REPOSITORY, descriptor).unwrap()).unwrap() {
            Document::Index(index) => index.manifests,
            Document::Manifest(manifest) => manifest.layers.into_iter().chain([manifest.config]).collect(),
        };
        for child in named {
            assert!(there.contains(&child.digest), "{} stands behind {}", child.digest, descriptor.digest);
        }
    }
}

#[test]
fn each_document_is_asked_for_once_and_ahead_of_time_and_no_blob() {
    let root = index([layered("linux/amd64", [layer("one")]), layered("linux/arm64", [layer("two")])]);
    let mock = mock(&[&root]);
    traverse::everything(&mock, REPOSITORY, std::slice::from_ref(&root.descriptor)).unwrap();
    let [one, two] = root.below() else { panic!("two images") };
    let (one, two, root) = (one.digest(), two.digest(), root.digest());
    assert_eq!(
        mock.asked(),
        [format!("fetch {root}"), format!("prefetch {one} {two}"), format!("fetch {one}"), format!("fetch {two}")]
    );
}

#[test]
fn what_is_missing_is_named_with_its_platform() {
    let (here, gone) = (image("linux/amd64").said("linux/amd64"), image("linux/arm64").said("linux/arm64").missing());
    let silent = attestation(None).said("unknown/unknown").missing();
    let root = index([here, gone.clone(), index([silent.clone()])]);
    let failure = everything(&[&root]).unwrap_err();
    assert!(failure.is_not_found());
    for named in [gone.digest(), "for linux/arm64", root.digest(), silent.digest()] {
        assert!(failure.message.contains(named), "{failure} without {named}");
    }
    assert!(!failure.message.contains("unknown") && failure.hint.unwrap().contains("--platform"));

    // Many are not listed.
    let many = index((0..20).map(|number| build::labelled("linux/amd64", &number.to_string()).missing()));
    let failure = everything(&[&many]).unwrap_err();
    assert!(failure.message.contains("and 15 more are not there"), "{failure}");

    // A root is the host's to speak of.
    assert!(everything(&[&image("linux/amd64").missing()]).unwrap_err().message.contains("cannot fetch"));
}

#[test]
fn layers_that_lie_elsewhere() {
    let url = "https://content.example/layer";
    let (there, gone) = (layer("there").elsewhere(url), layer("gone").elsewhere(url).missing());
    let root = layered("windows/amd64", [there.clone(), gone.clone(), gone.clone()]);
    let content = everything(&[&root]).unwrap();
    assert_eq!(content.elsewhere, [gone.descriptor]);
    assert!(digests(&content.blobs).contains(&there.digest()));
    assert_eq!(content.blobs.len(), 2);
}

#[test]
fn bounds() {
    let nested = |depth| (0..depth).fold(index([image("linux/amd64")]), |inner, _| index([inner]));
    everything(&[&nested(NESTING)]).unwrap();
    let failure = everything(&[&nested(NESTING + 1)]).unwrap_err();
    assert_eq!(failure.cause.unwrap().code, "too-large");

    let mut old = image("linux/amd64");
    old.descriptor.media_type = media_type::DOCKER_SCHEMA1_SIGNED.to_owned();
    let failure = everything(&[&index([old])]).unwrap_err();
    assert_eq!(failure.cause.unwrap().code, "unsupported");
}

/// What refers to what refers to an image goes with it, wherever it lies.
#[test]
fn all_that_refers_to_something() {
    let subject = image("linux/amd64").said("linux/amd64");
    let signature = attestation(Some(&subject));
    let on_signature = attestation(Some(&signature)).typed("application/vnd.example");
    let stranger = attestation(Some(&artifact()));
    // Its entry says so, in this index: nobody else would know.
    let told = attestation(None).annotated(REFERENCE_TYPE, ATTESTATION_MANIFEST);
    let told = told.annotated(REFERENCE_DIGEST, subject.digest());
    let root = index([subject.clone(), told]);

    for repository in [REPOSITORY, STORE] {
        let mock = [("1", &root), ("2", &on_signature), ("3", &signature), ("4", &stranger)]
            .into_iter()
            .fold(Mock::new(Bundled), |mock, (name, built)| built.in_repository(mock, repository, Some(name)));
        let found = |subjects: &[&Built]| {
            let subjects: Vec<Digest> = subjects.iter().map(|built| built.descriptor.digest.clone()).collect();
            let found = traverse::referring(&mock, repository, &subjects).unwrap();
            found.iter().map(|it| (it.subject.to_string(), it.descriptor.digest.to_string())).collect::<Vec<_>>()
        };
        let of = |subject: &Built, referrer: &Built| (subject.digest().to_owned(), referrer.digest().to_owned());
        assert_eq!(
            found(&[&root, &subject]),
            [of(&subject, &signature), of(&signature, &on_signature)],
            "{repository}"
        );
        assert_eq!(found(&[&subject, &signature]), [of(&signature, &on_signature)], "{repository}: subjects are there");
        assert!(found(&[&root]).is_empty(), "{repository}");
    }
}

#[test]
fn referrers_end() {
    let mut chain = vec![image("linux/amd64")];
    for _ in 0..=NESTING {
        chain.push(attestation(chain.last()));
    }
    for repository in [REPOSITORY, STORE] {
        let ask = |length: usize| {
            let mock = chain.iter().take(length).enumerate().fold(Mock::new(Bundled), |mock, (number, built)| {
                built.in_repository(mock, repository, Some(&number.to_string()))
            });
            traverse::referring(&mock, repository, std::slice::from_ref(&chain[0].descriptor.digest))
        };
        assert_eq!(ask(NESTING + 1).unwrap().len(), NESTING, "{repository}");
        assert_eq!(ask(NESTING + 2).unwrap_err().cause.unwrap().code, "too-large", "{repository}");
    }
}

#[test]
fn a_registry_without_referrers_has_none() {
    // The mock knows no such repository: it answers not-found.
    let digest = Digest::sha256(b"");
    assert!(traverse::referring(&Mock::new(Bundled), REPOSITORY, &[digest]).unwrap().is_empty());
}
