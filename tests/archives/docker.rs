//! Docker's own archives: those that skopeo, buildah and BuildKit wrote, those that docker wrote before and since 25, made
//! here in its shape, and those that nobody should.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use portolan::source::Source;
use portolan::source::archive::Archive;
use portolan::source::archive::docker::{DERIVED_FROM, DockerArchive};
use portolan::{Code, Limits, Result};
use portolan_oci::names::{IMAGE_NAME, REF_NAME};
use portolan_oci::{Config, Descriptor, Index, Manifest, media_type};
use portolan_tests::cli::Cli;
use portolan_tests::registry::run;
use portolan_tests::{fixtures, layout as made};
use serde_json::{Value, json};
use tar::EntryType;
use tempfile::NamedTempFile;

use super::made_here::{Tar, blob_name};
use super::packed::{gzip, packed, zstd};
use super::stores::{assert_error, buildah, refused, streamed, walk};

const STORE: &str = "docker-archive://here";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn open(bytes: &[u8]) -> Result<DockerArchive> {
    open_within(bytes, &Limits::default())
}

/// The file goes when this returns, and what is open stays.
fn open_within(bytes: &[u8], limits: &Limits) -> Result<DockerArchive> {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    DockerArchive::open_within(file.path(), STORE, limits)
}

fn receive(bytes: Vec<u8>) -> Result<DockerArchive> {
    DockerArchive::receive(Cursor::new(bytes), STORE, &Limits::default())
}

async fn entries(source: &impl Source) -> Vec<Descriptor> {
    Index::parse(&source.entries(&Limits::default()).await.unwrap().1).unwrap().manifests
}

async fn manifest(source: &impl Source, entry: &Descriptor) -> Manifest {
    Manifest::parse(&source.fetch(entry, &Limits::default()).await.unwrap()).unwrap()
}

/// A layer: a tar of one file.
fn layer(name: &str) -> Vec<u8> {
    Tar::new().file(name, "x\n").bytes()
}

fn hex(bytes: &[u8]) -> String {
    Descriptor::of("a/b", bytes).digest.hex().to_owned()
}

/// The config of an image with these layers, which are not compressed.
fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
    let config = json!({
        "architecture": "arm64", "config": {"Env": ["A=1"]}, "created": "2023-01-01T00:00:00Z", "docker_version": "20.10.24",
        "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}, "variant": "v8",
    });
    config.to_string().into_bytes()
}

/// What `docker save` of Docker 1.10 to 24 writes: a folder for each layer, with a link where two images share one.
fn old(images: &[(&[&str], &[&[u8]])]) -> Tar {
    let (mut tar, mut seen, mut listed) = (Tar::new(), Vec::<(String, String)>::new(), Vec::new());
    for (image, (tags, layers)) in images.iter().enumerate() {
        let config = config(layers);
        let mut paths = Vec::new();
        for (at, layer) in layers.iter().enumerate() {
            let id = hex(format!("{image} {at}").as_bytes());
            tar = tar.member(EntryType::Directory, &format!("{id}/"), b"").file(&format!("{id}/VERSION"), "1.0");
            tar = tar.file(&format!("{id}/json"), format!(r#"{{"id":"{id}","os":"linux"}}"#));
            let path = format!("{id}/layer.tar");
            tar = match seen.iter().find(|(digest, _)| *digest == hex(layer)) {
                Some((_, other)) => tar.link(EntryType::Symlink, &path, &format!("../{other}/layer.tar")),
                None => tar.file(&path, layer),
            };
            seen.push((hex(layer), id));
            paths.push(path);
        }
        let name = format!("{}.json", hex(&config));
        listed.push(json!({"Config": name, "RepoTags": tags, "Layers": paths}));
        tar = tar.file(&name, &config);
    }
    tar.file("manifest.json", format!("{}\n", Value::from(listed))).file("repositories", r#"{"acme/app":{"1":"x"}}"#)
}

/// What `docker save` writes since 25: an image layout, too.
fn new(tag: &str, layer: &[u8]) -> Tar {
    let config = config(&[layer]);
    let of = |media_type: &str, bytes: &[u8]| json!(Descriptor::of(media_type, bytes));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": of(media_type::OCI_CONFIG, &config), "layers": [of(LAYER, layer)],
    })
    .to_string();
    let mut entry = Descriptor::of(media_type::OCI_MANIFEST, manifest.as_bytes());
    entry.annotations.insert(IMAGE_NAME.into(), format!("docker.io/acme/app:{tag}"));
    entry.annotations.insert(REF_NAME.into(), tag.into());
    let listed = json!([{
        "Config": format!("blobs/sha256/{}", hex(&config)),
        "RepoTags": [format!("acme/app:{tag}")],
        "Layers": [format!("blobs/sha256/{}", hex(layer))],
        "LayerSources": {format!("sha256:{}", hex(layer)): of(LAYER, layer)},
    }]);
    Tar::new()
        .member(EntryType::Directory, "blobs/", b"")
        .member(EntryType::Directory, "blobs/sha256/", b"")
        .blob(&config)
        .blob(manifest.as_bytes())
        .blob(layer)
        .file("index.json", made::index(&[entry]))
        .file("manifest.json", listed.to_string())
        .file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("repositories", r#"{"acme/app":{"1":"x"}}"#)
}

#[tokio::test]
async fn what_skopeo_wrote() {
    let file = fixtures::archive("skopeo-docker.tar");
    let archive = DockerArchive::open(&file, STORE).unwrap();
    let reached = walk(&archive).await;
    let (config, layer) = (&reached.configs[0], &reached.layers[0]);
    // The digests are those of its manifest.json; the manifest is a function of them.
    let config_digest = "sha256:a3c8ae82006378a85aed1900bbdf70d041b5e00f93920203587b2a9c0a2fd000";
    let layer_digest = "sha256:d8bdb7f884d97bd27176b258fbb4aeaf71b287a7aa532fa35e02c32202919002";
    assert_eq!((config.digest.as_str(), layer.digest.as_str()), (config_digest, layer_digest));
    let expected = format!(
        concat!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":569}},"#,
            r#""layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":2048}}]}}"#
        ),
        config_digest, layer_digest
    );
    let expected = Descriptor::of(media_type::OCI_MANIFEST, expected.as_bytes());
    let entry = entries(&archive).await.remove(0);
    assert_eq!(entry.bare(), expected);
    assert_eq!(entry.annotations[IMAGE_NAME], "docker.io/acme/dk:4");
    assert_eq!(entry.annotations[REF_NAME], "4");
    assert!(entry.annotations[DERIVED_FROM].contains("made by portolan"));
    assert_eq!(entry.platform.unwrap().long(), "linux/amd64");
    assert!(layer.digest.matches(&streamed(&archive, layer).await.unwrap()));
    // skopeo finds the same config and layers in it.
    let raw = run(
        Command::new("skopeo").args(["inspect", "--raw"]).arg(format!("docker-archive:{}", file.display())),
        "skopeo",
    );
    let theirs = Manifest::parse(&raw.stdout).unwrap();
    assert_eq!((theirs.config.digest, theirs.layers[0].digest.clone()), (config.digest.clone(), layer.digest.clone()));
}

/// Where an archive is a layout too, its documents are the ones.
#[tokio::test]
async fn real_documents_before_made_ones() {
    let one = layer("one");
    let buildkit = fs::read(fixtures::archive("buildkit-docker.tar")).unwrap();
    for bytes in [new("1", &one).bytes(), buildkit] {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        let layout = Archive::open(file.path(), "oci-archive://here").unwrap();
        let expected = walk(&layout).await.all;
        for archive in [open(&bytes).unwrap(), open(&gzip(&bytes)).unwrap(), receive(bytes.clone()).unwrap()] {
            assert_eq!(entries(&archive).await, entries(&layout).await);
            assert_eq!(walk(&archive).await.all, expected);
        }
    }
    // Where it is none, manifest.json counts: no version, no index, an index of nothing.
    let listed = |tar: Tar| {
        let config = config(&[&one]);
        let listed =
            json!([{"Config": blob_name(&Descriptor::of("a/b", &config)), "RepoTags": ["a:1"], "Layers": ["l.tar"]}]);
        tar.blob(&config).file("l.tar", &one).file("manifest.json", listed.to_string()).bytes()
    };
    let entry = Descriptor::of(media_type::OCI_MANIFEST, b"{}");
    let entry = std::slice::from_ref(&entry);
    for (what, bytes) in [
        ("no oci-layout", listed(Tar::new().index(entry))),
        ("no index.json", listed(Tar::layout())),
        ("no entries", listed(Tar::layout().index(&[]))),
    ] {
        let archive = open(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(entries(&archive).await[0].annotations.contains_key(DERIVED_FROM), "{what}");
        walk(&archive).await;
    }
    // One that is broken is not passed over: other programs may read it.
    for (what, bytes, end) in [
        (
            "version 2",
            listed(Tar::new().index(entry).file("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#)),
            r#": its oci-layout file says version "2.0.0"; the one known here is 1.0.0"#,
        ),
        (
            "no index",
            listed(Tar::layout().file("index.json", "[]")),
            ": its index.json: no readable index or manifest: a list where an object is meant at line 1 column 2",
        ),
        (
            "an index of two minds",
            listed(Tar::layout().file("index.json", r#"{"manifests":[],"manifests":[]}"#)),
            r#": its index.json: no readable index or manifest: the key "manifests" twice at line 1 column 27"#,
        ),
        (
            "a link",
            listed(Tar::layout().member(EntryType::Symlink, "index.json", b"")),
            ": its index.json is a link; plain files are read, and links not followed",
        ),
    ] {
        for result in [open(&bytes), open(&gzip(&bytes)), receive(bytes.clone())] {
            assert_error(&result.unwrap_err(), Code::Malformed, end, what);
        }
    }
}

/// Who reads manifest.json, and who reads index.json, has to find the same images.
#[tokio::test]
async fn an_archive_of_two_minds() {
    let (good, evil) = (layer("good"), layer("evil"));
    let other = config(&[&evil]);
    let listed = |config: &str| json!([{"Config": config, "RepoTags": ["acme/app:1"], "Layers": ["l"]}]).to_string();
    let with = |name: &str| new("1", &good).file(name, &other).file("l", &evil).file("manifest.json", listed(name));
    for name in [blob_name(&Descriptor::of("a/b", &other)).as_str(), "c.json"] {
        let bytes = with(name).bytes();
        let end = format!(": its manifest.json lists {name:?}, which no image of its index.json has as its config");
        for result in [open(&bytes), open(&gzip(&bytes)), receive(bytes.clone())] {
            assert_error(&result.unwrap_err(), Code::Malformed, &end, name);
        }
    }
    // The same config by another name is the same, and so is one below an index.
    let named =
        new("1", &good).file("c.json", config(&[&good])).file("l", &good).file("manifest.json", listed("c.json"));
    open(&named.bytes()).unwrap();
    let plain = open(&new("1", &good).bytes()).unwrap();
    let index = made::index(&entries(&plain).await);
    let entry = Descriptor::of(media_type::OCI_INDEX, index.as_bytes());
    let nested = new("1", &good).blob(index.as_bytes()).index(&[entry]).bytes();
    for archive in [open(&nested), open(&zstd(&nested)), receive(nested)] {
        walk(&archive.unwrap()).await;
    }
}

#[tokio::test]
async fn what_docker_wrote_before() {
    let (base, one, two) = (layer("base"), layer("one"), layer("two"));
    let tar = old(&[(&["acme/app:1", "localhost:5000/app:1"], &[&base, &one]), (&[], &[&base, &two, &base])]);
    let bytes = tar.bytes();
    let plain = open(&bytes).unwrap();
    let entries_ = entries(&plain).await;
    let names: Vec<_> = entries_.iter().map(|entry| entry.annotations.get(IMAGE_NAME).map(String::as_str)).collect();
    assert_eq!(names, [Some("docker.io/acme/app:1"), Some("localhost:5000/app:1"), None]);
    assert_eq!(entries_[0].digest, entries_[1].digest);
    assert_eq!(entries_[2].platform.as_ref().unwrap().long(), "linux/arm64/v8");
    let layers = manifest(&plain, &entries_[2]).await.layers;
    assert_eq!(
        layers.iter().map(|layer| layer.digest.hex()).collect::<Vec<_>>(),
        [&base, &two, &base].map(|layer| hex(layer))
    );
    // Behind a link, and before it.
    for (layer, expected) in layers.iter().zip([&base, &two, &base]) {
        assert_eq!((layer.media_type.as_str(), layer.size), (LAYER, expected.len() as u64));
        assert!(streamed(&plain, layer).await.unwrap() == *expected);
    }
    let expected = walk(&plain).await;
    for (what, packed) in packed(&bytes) {
        let archive = open(&packed).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(entries(&archive).await, entries_, "{what}");
        assert_eq!(walk(&archive).await.all, expected.all, "{what}");
        for layer in &layers {
            assert!(layer.digest.matches(&streamed(&archive, layer).await.unwrap()), "{what}");
        }
        let archive = receive(packed).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(walk(&archive).await.all, expected.all, "{what}");
        let error = streamed(&archive, &layers[0]).await.unwrap_err();
        assert_eq!(error.code(), Code::Unsupported, "{what}: {error}");
    }
    assert_eq!(walk(&receive(bytes).unwrap()).await.all, expected.all);
}

/// As crane, kaniko and others write them: layers compressed in the archive, whose digests nothing but their bytes tells.
#[tokio::test]
async fn layers_that_are_compressed() {
    let (one, two, three) = (layer("one"), layer("two"), layer("three"));
    let config = config(&[&one, &two, &three]);
    let (gzipped, zstandard) = (gzip(&one), zstd(&two));
    let name = format!("sha256:{}", hex(&config));
    let listed = json!([{"Config": name, "RepoTags": ["a/b:1"], "Layers": ["1.tar.gz", "2.tar.zst", "3.tar"]}]);
    let tar = Tar::new().file(&name, &config).file("1.tar.gz", &gzipped).file("2.tar.zst", &zstandard);
    let bytes = tar.file("3.tar", &three).file("manifest.json", listed.to_string()).bytes();
    let expected = [
        Descriptor::of(format!("{LAYER}+gzip"), &gzipped),
        Descriptor::of(format!("{LAYER}+zstd"), &zstandard),
        Descriptor::of(LAYER, &three),
    ];
    for archive in [open(&bytes), open(&gzip(&bytes)), receive(bytes.clone()), receive(zstd(&bytes))] {
        let archive = archive.unwrap();
        let entry = entries(&archive).await.remove(0);
        assert_eq!(manifest(&archive, &entry).await.layers, expected);
    }
    for (archive, layer) in [(open(&bytes), 0), (open(&bytes), 1), (open(&gzip(&bytes)), 0), (open(&zstd(&bytes)), 2)] {
        let archive = archive.unwrap();
        assert!(expected[layer].digest.matches(&streamed(&archive, &expected[layer]).await.unwrap()));
    }
    // A tar is one whatever its first member is called.
    let odd = Tar::new().file("BZh9", "x").bytes();
    let config = self::config(&[&odd]);
    let listed = json!([{"Config": "c", "Layers": ["l"]}]).to_string();
    let archive = open(&Tar::new().file("c", &config).file("l", &odd).file("manifest.json", listed).bytes()).unwrap();
    assert_eq!(walk(&archive).await.layers[0], Descriptor::of(LAYER, &odd));
}

/// Ours and theirs, of images that real tools made.
#[tokio::test]
async fn what_real_tools_write() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    for (layout, name) in [("buildkit-single", "2"), ("umoci", "latest"), ("buildkit-multi", "1.4")] {
        let to = format!("docker-archive:{}:docker.io/acme/{layout}:{name}", path(layout).display());
        let from = format!("oci:{}:{name}", fixtures::layout(layout).display());
        run(Command::new("skopeo").args(["--insecure-policy", "copy", "--quiet", &from, &to]), "skopeo");
    }
    buildah(scratch.path(), &["from", "--name", "made", "scratch"]);
    fs::write(path("file"), "content").unwrap();
    let file = path("file").display().to_string();
    buildah(scratch.path(), &["copy", "made", &file, "/file"]);
    buildah(scratch.path(), &["config", "--label", "a=b", "made"]);
    buildah(scratch.path(), &["commit", "--quiet", "made", "localhost/made:1"]);
    let made = path("buildah").display().to_string();
    buildah(
        scratch.path(),
        &["push", "--quiet", "localhost/made:1", &format!("docker-archive:{made}:localhost/made:1")],
    );
    for name in ["buildkit-single", "umoci", "buildkit-multi", "buildah"] {
        let archive = DockerArchive::open(&path(name), STORE).unwrap_or_else(|error| panic!("{name}: {error}"));
        let reached = walk(&archive).await;
        for layer in &reached.layers {
            assert!(layer.digest.matches(&streamed(&archive, layer).await.unwrap()), "{name}");
        }
        let place = format!("docker-archive:{}", path(name).display());
        let theirs = run(Command::new("skopeo").args(["inspect", "--raw", "--config", &place]), "skopeo").stdout;
        let config = archive.fetch(&reached.configs[0], &Limits::default()).await.unwrap();
        assert_eq!(config, theirs, "{name}");
        let diff_ids = Config::parse(&config).unwrap().diff_ids;
        let layers = manifest(&archive, &entries(&archive).await[0]).await.layers;
        assert!(layers.iter().map(|layer| &layer.digest).eq(&diff_ids), "{name}");
    }
}

/// Nothing, or the error's code and a part of its text.
type Verdict<'a> = Option<(Code, &'a str)>;

#[test]
fn what_is_no_docker_archive() {
    let one = layer("one");
    let good = config(&[&one]);
    let with = |config: &[u8], listed: Value| {
        Tar::new().file("c", config).file("l", &one).file("manifest.json", listed.to_string())
    };
    let image = |config: &str, layers: &[&str]| json!([{"Config": config, "RepoTags": ["a:1"], "Layers": layers}]);
    let linked = |target: &str| with(&good, image("c", &["d/x"])).link(EntryType::Symlink, "d/x", target);
    let chain = |links: usize| {
        let tar = with(&good, image("c", &["0"]));
        let link = |tar: Tar, at: usize| tar.link(EntryType::Symlink, &at.to_string(), &(at + 1).to_string());
        (0..links).fold(tar, link).file(&links.to_string(), &one)
    };
    let wrong = format!("{}.json", "0".repeat(64));
    let actual = hex(&good);
    let rows: Vec<(&str, Tar, Verdict<'_>)> = vec![
        ("as it should be", with(&good, image("c", &["l"])), None),
        ("no images", with(&good, json!([])), None),
        ("names with ./", with(&good, image("./c", &["././l"])), None),
        ("a name by way of a folder", with(&good, image("x/../c", &["l"])), None),
        ("a link", linked("../l"), None),
        ("a hard link", with(&good, image("c", &["d/x"])).link(EntryType::Link, "d/x", "l"), None),
        ("eight links", chain(8), None),
        ("a member twice", with(b"{}", image("c", &["l"])).file("c", &good), None),
        ("trailing rubbish", with(&good, image("c", &["l"])), None),
        (
            "a link to a config of another digest",
            with(&good, image(&wrong, &["l"])).link(EntryType::Link, &wrong, "c"),
            Some((Code::DigestMismatch, &actual)),
        ),
        (
            "a config that is known already, of another digest",
            with(&good, json!([{"Config": "c", "Layers": ["l"]}, {"Config": wrong, "Layers": ["l"]}])).link(
                EntryType::Link,
                &wrong,
                "c",
            ),
            Some((Code::DigestMismatch, &actual)),
        ),
        (
            "members that lead out",
            with(&good, image("c", &["l"])).file("../../l", "x"),
            Some((Code::Malformed, "is `l` to some programs, and not to others")),
        ),
        ("nothing", Tar::new(), Some((Code::Malformed, "it has no manifest.json, so it is no docker archive"))),
        (
            "an image layout",
            Tar::layout().index(&[]),
            Some((Code::Malformed, "it has no manifest.json, so it is no docker archive")),
        ),
        (
            "before 1.10",
            Tar::new().file("repositories", "{}"),
            Some((Code::Malformed, "it has no manifest.json, so it is no docker archive")),
        ),
        (
            "an absolute one",
            Tar::new().file("/manifest.json", "[]"),
            Some((Code::Malformed, "the member `/manifest.json` at byte 0 is `manifest.json` to some programs")),
        ),
        (
            "a link for it",
            Tar::new().member(EntryType::Symlink, "manifest.json", b""),
            Some((Code::Malformed, "its manifest.json is a link; plain files are read, and links not followed")),
        ),
        (
            "no JSON",
            Tar::new().file("manifest.json", "[x"),
            Some((Code::Malformed, "its manifest.json: expected value at line 1 column 2")),
        ),
        (
            "keys in two cases",
            Tar::new().file("manifest.json", r#"[{"Config":"c","config":"d"}]"#),
            Some((
                Code::Malformed,
                "its manifest.json: the key \"config\" could be taken for \"Config\" at line 1 column 23",
            )),
        ),
        (
            "no config",
            with(&good, image("nope", &["l"])),
            Some((Code::Malformed, "its manifest.json names \"nope\", and it has no \"nope\"")),
        ),
        (
            "no layer",
            with(&good, image("c", &["nope"])),
            Some((Code::Malformed, "its manifest.json names \"nope\", and it has no \"nope\"")),
        ),
        (
            "more layers than diff-ids",
            with(&good, image("c", &["l", "l"])),
            Some((Code::Malformed, "the image of \"c\" has 2 layers in its manifest.json, and 1 in its config")),
        ),
        (
            "fewer",
            with(&good, image("c", &[])),
            Some((Code::Malformed, "the image of \"c\" has 0 layers in its manifest.json, and 1 in its config")),
        ),
        (
            "a config of another digest",
            with(&good, image(&wrong, &["l"])).file(&wrong, &good),
            Some((Code::DigestMismatch, &actual)),
        ),
        (
            "a config that is none",
            with(b"{\"rootfs\":1}", image("c", &["l"])),
            Some((Code::Malformed, "the config \"c\": ")),
        ),
        (
            "a config of two minds",
            with(b"{\"os\":\"linux\",\"OS\":\"windows\"}", image("c", &[])),
            Some((Code::Malformed, "the config \"c\": ")),
        ),
        ("a config that is a layer", with(&one, image("c", &[])), Some((Code::Malformed, "the config \"c\": "))),
        (
            "an absolute name",
            with(&good, image("/c", &["l"])),
            Some((Code::Malformed, "its manifest.json names \"/c\", which leads out of the archive")),
        ),
        (
            "a name that leads out",
            with(&good, image("c", &["../l"])),
            Some((Code::Malformed, "its manifest.json names \"../l\", which leads out of the archive")),
        ),
        (
            "a folder",
            with(&good, image("c", &["d"])).member(EntryType::Directory, "d", b""),
            Some((Code::Malformed, "its manifest.json names \"d\", and \"d\" is a directory")),
        ),
        (
            "a device",
            with(&good, image("c", &["d"])).member(EntryType::Char, "d", b""),
            Some((Code::Malformed, "its manifest.json names \"d\", and \"d\" is a special file")),
        ),
        (
            "holes",
            with(&good, image("c", &["d"])).member(EntryType::GNUSparse, "d", b"x"),
            Some((Code::Malformed, "its manifest.json names \"d\", and \"d\" is a sparse file")),
        ),
        (
            "a link out of it",
            linked("../../l"),
            Some((Code::Malformed, "its manifest.json names \"d/x\", which is a link out of the archive")),
        ),
        (
            "an absolute link",
            linked("/etc/passwd"),
            Some((Code::Malformed, "its manifest.json names \"d/x\", which is a link out of the archive")),
        ),
        (
            "a link to nothing",
            linked("nope"),
            Some((Code::Malformed, "its manifest.json names \"d/x\", and it has no \"d/nope\"")),
        ),
        (
            "a link to itself",
            linked("x"),
            Some((Code::Malformed, "\"d/x\" is a link, and more than 8 lead on from there")),
        ),
        ("nine links", chain(9), Some((Code::Malformed, "\"0\" is a link, and more than 8 lead on from there"))),
        (
            "xz inside",
            with(&config(&[b"\xfd7zXZ\0x"]), image("c", &["x"])).file("x", b"\xfd7zXZ\0x"),
            Some((Code::Unsupported, "its layer \"x\" is compressed with xz, which no manifest can say")),
        ),
    ];
    for (what, tar, expected) in rows {
        let mut bytes = tar.bytes();
        if what == "trailing rubbish" {
            bytes.extend(b"rubbish");
        }
        for (how, result) in
            [("plain", open(&bytes)), ("packed", open(&zstd(&bytes))), ("received", receive(bytes.clone()))]
        {
            match (result, expected) {
                (Ok(_), None) => {}
                // What is no document went by.
                (Err(error), Some(_)) if what == "a config that is a layer" && how == "received" => {
                    assert_eq!(error.code(), Code::Unsupported, "{how}: {error}");
                }
                (Err(error), Some((code, part))) => {
                    assert_eq!(error.code(), code, "{what}, {how}: {error}");
                    assert!(error.to_string().starts_with("cannot open the archive "), "{what}, {how}: {error}");
                    assert!(error.to_string().contains(part), "{what}, {how}: {error}");
                }
                (result, _) => panic!("{what}, {how}: {result:?}"),
            }
        }
    }
    let hint = |tar: Tar| open(&tar.bytes()).unwrap_err().hint().unwrap().to_owned();
    assert_eq!(hint(Tar::layout().index(&[])), "an image layout in a tar is read as oci-archive://FILE");
    assert_eq!(hint(Tar::new().file("repositories", "{}")), "Docker wrote it before 1.10; load it and save it again");
    assert_eq!(open(&with(&good, image("c", &["l"])).bytes()).unwrap().sink().err().unwrap().code(), Code::Unsupported);
}

/// The digest of a layer is what its config says, until it is read.
#[tokio::test]
async fn a_layer_that_is_not_what_its_config_says() {
    let (one, other) = (layer("one"), layer("other"));
    let listed = json!([{"Config": "c", "Layers": ["l"]}]).to_string();
    let bytes = Tar::new().file("c", config(&[&one])).file("l", &other).file("manifest.json", listed).bytes();
    for archive in [open(&bytes).unwrap(), open(&gzip(&bytes)).unwrap()] {
        let reached = walk(&archive).await;
        let error = refused(&archive, &reached.layers[0], "another").await;
        let end = format!(": the bytes have the digest sha256:{}", hex(&other));
        assert_error(&error, Code::DigestMismatch, &end, "another");
    }
}

#[tokio::test]
async fn limits_of_docker_archives() {
    let one = layer("one");
    let bytes = old(&[(&["a:1", "a:2"], &[&one]), (&["a:3"], &[&one, &one])]).bytes();
    let config = config(&[&one, &one]).len() as u64;
    let listed = {
        let archive = super::made_here::Made::of(&bytes);
        let mut tar = tar::Archive::new(fs::File::open(archive.file.path()).unwrap());
        let mut entries = tar.entries().unwrap().map(|entry| entry.unwrap());
        entries.find(|entry| entry.path().unwrap() == Path::new("manifest.json")).unwrap().size()
    };
    assert!(listed > config);
    for (limits, end) in [
        (Limits { document: listed, ..Limits::default() }, None),
        (Limits { document: listed - 1, ..Limits::default() }, Some("where")),
        (Limits { index_entries: 3, ..Limits::default() }, None),
        (Limits { index_entries: 2, ..Limits::default() }, Some("it has more images than the limit, 2")),
        (
            Limits { archive_documents: 700, ..Limits::default() },
            Some("its documents have more bytes than the limit, 700"),
        ),
    ] {
        match (open_within(&bytes, &limits), end) {
            (Ok(_), None) => {}
            (Err(error), Some(part)) => {
                assert_eq!(error.code(), Code::TooLarge, "{error}");
                assert!(error.to_string().contains(part), "{error}");
            }
            (result, _) => panic!("{end:?}: {result:?}"),
        }
    }
    // A compressed layer is read for its digest, and that is work.
    let packed = gzip(&one);
    let listed = json!([{"Config": "c", "Layers": ["l", "k"]}]).to_string();
    let tar = Tar::new().file("c", self::config(&[&one, &one])).file("l", &packed).file("k", &packed);
    let bytes_ = tar.file("manifest.json", listed).bytes();
    let most = 2 * packed.len() as u64;
    open_within(&bytes_, &Limits { archive_unpacked: most, ..Limits::default() }).unwrap();
    let error = open_within(&bytes_, &Limits { archive_unpacked: most - 1, ..Limits::default() }).unwrap_err();
    let end = format!(": its compressed layers have more bytes than the limit, {}", most - 1);
    assert_error(&error, Code::TooLarge, &end, "layers");
    // One image that is listed often is made once, and each entry has its length.
    let config_ = json!({"architecture": "a".repeat(1000), "os": "linux", "rootfs": {"diff_ids": []}}).to_string();
    let tags: Vec<String> = (0..50).map(|at| format!("a:{at}")).collect();
    let listed = Value::from(vec![json!({"Config": "c", "RepoTags": tags}); 2]).to_string();
    let bytes_ = Tar::new().file("c", &config_).file("manifest.json", listed).bytes();
    open_within(&bytes_, &Limits { archive_documents: 300, ..Limits::default() }).unwrap();
    let error = open_within(&bytes_, &Limits { entries: 50_000, ..Limits::default() }).unwrap_err();
    assert_error(&error, Code::TooLarge, ": its images make an index of more bytes than the limit, 50000", "entries");
    // A config that there was no room for is not looked for again and again.
    let limits = Limits { archive_documents: 0, ..Limits::default() };
    let error = open_within(&gzip(&bytes), &limits).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge, "{error}");
}

#[test]
fn on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
    let (base, one) = (layer("base"), layer("one"));
    let bytes = old(&[(&["acme/app:1"], &[&base, &one]), (&["acme/other:1", "acme/other:2"], &[&base])]).bytes();
    fs::write(folder.path().join("app.tar"), &bytes).unwrap();
    let top = format!("sha256:{}\n", hex(&one));
    assert_eq!(cli.ok("layers --last docker-archive://app.tar/acme/app:1"), top);
    assert_eq!(cli.ok("layers --last docker-archive://app.tar:2"), format!("sha256:{}\n", hex(&base)));
    for packed in [bytes.clone(), gzip(&bytes), zstd(&bytes)] {
        assert_eq!(cli.fed("layers --last docker-archive://-/acme/app:1", &packed).out, top);
    }
    assert_eq!(cli.ok("tags docker-archive://app.tar").lines().count(), 3);
    let inspected = cli.ok("inspect docker-archive://app.tar/acme/app:1");
    let line = inspected.lines().find(|line| line.contains(DERIVED_FROM));
    assert!(line.is_some_and(|line| line.contains("made by portolan")), "{inspected}");
    assert_eq!(cli.ok("layers --last --store app=app.tar docker-archive://app/acme/app:1"), top);

    // What is copied is what others read.
    cli.ok("copy --quiet docker-archive://app.tar/acme/app:1 oci-archive://out.tar:1");
    let out = format!("oci-archive:{}:1", folder.path().join("out.tar").display());
    let theirs = run(Command::new("skopeo").args(["inspect", "--raw", "--config", &out]), "skopeo").stdout;
    assert_eq!(theirs, config(&[&base, &one]));
    run(
        Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", &out])
            .arg(format!("docker-archive:{}", folder.path().join("back.tar").display())),
        "skopeo",
    );
    assert_eq!(cli.ok("layers --last docker-archive://back.tar"), top);

    assert!(cli.fails(1, "resolve oci-archive://app.tar:1").contains("hint: it is read as docker-archive://FILE"));
    assert!(cli.fails(1, "resolve docker-archive://app.tar:1").contains("acme/other"), "two images have that tag");
    assert!(cli.fails(5, "resolve docker-archive://nope.tar:1").contains("docker save -o FILE"));
    let refused = cli.fails(1, "copy oci-archive://out.tar:1 docker-archive://new.tar:1");
    assert!(refused.contains("docker archives are read, and not written") && refused.contains("hint: "), "{refused}");
    let twice =
        cli.fed("create --dry-run -t oci-layout://x:1 oci-archive://- docker-archive://-", &new("1", &one).bytes());
    assert!(twice.err.contains("standard input was read as oci-archive://-"), "{}", twice.err);
    assert!(!folder.path().join("new.tar").exists());
}
