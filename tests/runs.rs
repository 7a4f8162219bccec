//! What a run of a bundled frontend reads of a store, counted at the source: the documents that it needs, and no byte of a
//! layer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan::source::Source;
use portolan::source::archive::Archive;
use portolan::source::layout::Layout;
use portolan::{Answer, Bundled, Component, Host, Limits, Run};
use portolan_oci::{Digest, Document, Index, Platform};
use portolan_tests::fixtures;

mod stores;
use stores::{Counting, walk};

const HERE: &str = "oci-layout://here";

/// Runs a frontend on a store, with `--NAME VALUE` arguments.
async fn run(host: &Host, frontend: Bundled, store: Arc<dyn Source>, arguments: &[(&str, &str)]) -> Answer {
    let frontend = host.load(Component::Bundled(frontend)).await.unwrap();
    let run = Run::new(&frontend).store("here", store);
    let run = arguments.iter().fold(run, |run, (name, value)| run.argument(*name, *value));
    host.run(run).await.unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// What the first entry is reached by.
async fn first_entry(source: &impl Source) -> Digest {
    let (_, entries) = source.entries(&Limits::default()).await.unwrap();
    Index::parse(&entries).unwrap().manifests.remove(0).digest
}

#[tokio::test]
async fn no_run_reads_a_byte_of_a_layer() {
    let host = Host::builder().platform("linux/amd64").build().unwrap();
    for folder in fixtures::layouts() {
        let layout = Layout::open(&folder, HERE).unwrap();
        let layers: BTreeSet<Digest> = walk(&layout).await.layers.into_iter().map(|layer| layer.digest).collect();
        assert_eq!(layers.is_empty(), folder.ends_with("umoci"), "there is something not to read");
        let reference = format!("{HERE}@{}", first_entry(&layout).await);
        let reference = reference.as_str();
        for (frontend, arguments) in [
            (Bundled::Resolve, vec![("ref", reference)]),
            (Bundled::Resolve, vec![("ref", reference), ("format", "json")]),
            (Bundled::Inspect, vec![("ref", reference)]),
            (Bundled::Inspect, vec![("ref", reference), ("format", "json")]),
            (Bundled::Inspect, vec![("ref", reference), ("format", "imagetools")]),
            (Bundled::Inspect, vec![("ref", reference), ("raw", "true")]),
            (Bundled::Layers, vec![("ref", reference), ("format", "json")]),
        ] {
            let counting = Arc::new(Counting::new(Layout::open(&folder, HERE).unwrap()));
            run(&host, frontend, counting.clone(), &arguments).await;
            let read: BTreeSet<Digest> = counting.counted().into_keys().collect();
            assert!(!read.is_empty(), "{} {arguments:?}", folder.display());
            assert!(read.is_disjoint(&layers), "{} {arguments:?} read a layer", folder.display());
        }
    }
}

#[tokio::test]
async fn one_platform_costs_three_documents() {
    let host = Host::builder().platform("linux/amd64").build().unwrap();
    let archive = || Archive::open(&fixtures::archive("oci-multi.tar"), "oci-archive://here").unwrap();
    let limits = Limits::default();
    let root = first_entry(&archive()).await;
    for platform in ["linux/amd64", "linux/arm64"] {
        let wanted = Platform::parse(platform, &Platform::default()).unwrap();
        let all = walk(&archive()).await.all;
        let Document::Index(index) = Document::parse(&archive().fetch(&all[&root], &limits).await.unwrap()).unwrap()
        else {
            panic!("the root is an index");
        };
        let entry = index.manifests.into_iter().find(|entry| entry.platform.as_ref() == Some(&wanted)).unwrap();
        let Document::Manifest(manifest) = Document::parse(&archive().fetch(&entry, &limits).await.unwrap()).unwrap()
        else {
            panic!("the entry is a manifest");
        };
        let counting = Arc::new(Counting::new(archive()));
        let arguments = [("ref", "oci-archive://here:tar"), ("platform", platform), ("part", "config")];
        run(&host, Bundled::Resolve, counting.clone(), &arguments).await;
        let read: BTreeSet<Digest> = counting.counted().into_keys().collect();
        assert_eq!(read, BTreeSet::from([root.clone(), entry.digest, manifest.config.digest]), "{platform}");
    }
}
