//! The picture for people: a head, a table of platforms, then a table of each thing that there is.
//!
//! Tables with one fact a line, so that `grep linux/arm64` finds all that concerns it. One image alone is shown with its
//! layers and how it is run; several would drown in that.

use crate::picture::{Image, Picture};
use portolan_oci::{Annotations, Digest, media_type};
use portolan_sdk::table::{Table, size};
use portolan_sdk::traverse::Referrer;
use serde_json::Value;

/// The whole picture.
pub fn text(picture: &Picture) -> String {
    let alone = alone(picture);
    let parts = [
        head(picture),
        if is_index(picture) { platforms(picture) } else { String::new() },
        alone.map(run).unwrap_or_default(),
        alone.map(layers).unwrap_or_default(),
        annotations(picture),
        attestations(picture),
        other(picture),
        referrers(picture),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn is_index(picture: &Picture) -> bool {
    media_type::is_index(&picture.root.media_type)
}

/// The image, where only one is shown.
fn alone(picture: &Picture) -> Option<&Image> {
    match picture.images.as_slice() {
        [image] => Some(image),
        _ => None,
    }
}

/// A table, or nothing where there would be no more than its header.
fn table<const N: usize>(header: [&str; N], right: &[usize], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = right.iter().fold(Table::new(header), |table, &column| table.right(column));
    for row in rows {
        table.row(row);
    }
    table.to_string()
}

fn head(picture: &Picture) -> String {
    let mut head = Table::plain();
    head.row(["Name", &picture.reference]);
    head.row(["Digest", picture.root.digest.as_str()]);
    head.row(["Media type", &picture.root.media_type]);
    if let (Some(image), false) = (alone(picture), is_index(picture)) {
        if let Some(artifact_type) = image.artifact_type() {
            head.row(["Artifact type", artifact_type]);
        }
        if let Some(subject) = &image.manifest.subject {
            head.row(["Subject", subject.digest.as_str()]);
        }
        if let Some(platform) = &image.platform {
            head.row(["Platform", &platform.long()]);
        }
    }
    head.to_string()
}

fn platforms(picture: &Picture) -> String {
    let there = picture.images.iter().map(|image| {
        let platform = image.platform.as_ref().map_or_else(|| "-".to_owned(), |platform| platform.long());
        [platform, image.descriptor.digest.to_string(), image.layers.len().to_string(), size(image.size())]
    });
    let missing = picture.missing.iter().filter(|entry| !entry.is_attestation()).map(|entry| {
        let platform = entry.platform.as_ref().map_or_else(|| "-".to_owned(), |platform| platform.long());
        [platform, entry.digest.to_string(), "-".to_owned(), "not here".to_owned()]
    });
    table(["PLATFORM", "DIGEST", "LAYERS", "SIZE"], &[2, 3], there.chain(missing).collect())
}

/// What a container of it would be: the parts of the config that people ask for, by the names that Dockerfiles have for
/// them.
fn run(image: &Image) -> String {
    let config: Value = serde_json::from_slice(&image.config).unwrap_or_default();
    let run = config.get("config").unwrap_or(&Value::Null);
    let mut table = Table::plain();
    let text = |from: &Value, key: &str| from.get(key).and_then(Value::as_str).map(str::to_owned);
    let words = |key: &str| run.get(key).filter(|words| words.is_array()).map(Value::to_string);
    let keys = |key: &str| -> Vec<String> {
        run.get(key).and_then(Value::as_object).into_iter().flat_map(|map| map.keys().cloned()).collect()
    };
    let pairs = run.get("Labels").and_then(Value::as_object).into_iter().flatten();
    let labels = pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let variables = run.get("Env").and_then(Value::as_array).into_iter().flatten();
    let variables = variables.filter_map(Value::as_str).map(str::to_owned);
    for (name, values) in [
        ("Created", text(&config, "created").into_iter().collect()),
        ("Entrypoint", words("Entrypoint").into_iter().collect()),
        ("Cmd", words("Cmd").into_iter().collect()),
        ("User", text(run, "User").into_iter().collect()),
        ("Workdir", text(run, "WorkingDir").into_iter().collect()),
        ("Expose", keys("ExposedPorts")),
        ("Volume", keys("Volumes")),
        ("Env", variables.collect()),
        ("Label", labels.collect::<Vec<_>>()),
    ] {
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            table.row([name.to_owned(), value]);
        }
    }
    table.to_string()
}

fn layers(image: &Image) -> String {
    let blobs = image.layers.iter().map(|layer| &layer.descriptor);
    let rows = blobs.map(|blob| [blob.digest.to_string(), size(blob.size), blob.media_type.clone()]);
    table(["LAYER", "SIZE", "MEDIA TYPE"], &[1], rows.collect())
}

/// Annotations with the level they stand at, in buildx's words for the levels.
fn annotations<'a>(picture: &'a Picture) -> String {
    let mut rows = Vec::new();
    let mut add = |level: &str, of: &str, annotations: &Annotations| {
        let pairs = annotations.iter();
        rows.extend(pairs.map(|(key, value)| [level.to_owned(), of.to_owned(), key.clone(), value.clone()]));
    };
    if is_index(picture) {
        add("index-descriptor", "root", &picture.root.annotations);
        add("index", "root", &picture.annotations);
    }
    for level in ["manifest-descriptor", "manifest"] {
        let of = |image: &'a Image| match level {
            "manifest" => &image.manifest.annotations,
            _ => &image.descriptor.annotations,
        };
        // What each of several images carries is said once.
        let mut common = Annotations::new();
        if let [first, others @ ..] = picture.images.as_slice()
            && !others.is_empty()
        {
            common = of(first).clone();
            common.retain(|key, value| others.iter().all(|image| of(image).get(key) == Some(value)));
        }
        add(level, "all", &common);
        for image in &picture.images {
            let mut own = of(image).clone();
            own.retain(|key, _| !common.contains_key(key));
            add(level, &label(picture, image), &own);
        }
    }
    table(["LEVEL", "OF", "ANNOTATION", "VALUE"], &[], rows)
}

/// How people tell an image from the others: the root, its platform, else its digest.
fn label(picture: &Picture, image: &Image) -> String {
    match &image.platform {
        _ if image.descriptor.digest == picture.root.digest => "root".to_owned(),
        Some(platform) => platform.long(),
        None => image.descriptor.digest.to_string(),
    }
}

fn attestations(picture: &Picture) -> String {
    let mut rows = Vec::new();
    let of_images = picture.images.iter().map(|image| (label(picture, image), &image.attestations));
    for (of, attestations) in of_images.chain([("root".to_owned(), &picture.attestations)]) {
        for attestation in attestations {
            let row = |said: &str| [of.clone(), attestation.descriptor.digest.to_string(), said.to_owned()];
            let before = rows.len();
            rows.extend(attestation.predicates().map(|said| row(said.predicate_type)));
            if rows.len() == before {
                rows.push(row("-"));
            }
        }
    }
    table(["ATTESTED", "ATTESTATION", "PREDICATE"], &[], rows)
}

fn other(picture: &Picture) -> String {
    let rows = picture.other.iter().map(|entry| {
        let kind = entry.artifact_type.as_ref().unwrap_or(&entry.media_type);
        [entry.digest.to_string(), size(entry.size), kind.clone()]
    });
    table(["OTHER", "SIZE", "TYPE"], &[1], rows.collect())
}

fn referrers(picture: &Picture) -> String {
    let Some(referrers) = &picture.referrers else { return String::new() };
    if referrers.is_empty() {
        return "No referrers.\n".to_owned();
    }
    let mut table = Table::new(["REFERRERS", "SIZE", "TYPE"]).right(1);
    let mut roots = vec![&picture.root.digest];
    roots.extend(picture.images.iter().map(|image| &image.descriptor.digest));
    roots.dedup();
    for subject in &roots {
        if referrers.iter().any(|referrer| referrer.subject == **subject) {
            let image = picture.images.iter().find(|image| image.descriptor.digest == **subject);
            let of = image.map_or_else(|| "root".to_owned(), |image| label(picture, image));
            table.row([of, String::new(), String::new()]);
            branches(&roots, referrers, subject, "", &mut table);
        }
    }
    table.to_string()
}

/// Who refers to `subject`, each with who refers to it below. A store's entries may say of two images that each refers to the
/// other: what has a tree of its own has none in another's. Of the rest, [`Picture`] has each once, no deeper than
/// traversals go.
fn branches(roots: &[&Digest], referrers: &[Referrer], subject: &Digest, before: &str, table: &mut Table) {
    let mut here = referrers.iter().filter(|referrer| referrer.subject == *subject).peekable();
    while let Some(Referrer { descriptor: entry, .. }) = here.next() {
        let (branch, trunk) = if here.peek().is_some() { ("├─ ", "│  ") } else { ("└─ ", "   ") };
        let kind = entry.artifact_type.as_ref().unwrap_or(&entry.media_type);
        table.row([format!("{before}{branch}{}", entry.digest), size(entry.size), kind.clone()]);
        if !roots.contains(&&entry.digest) {
            branches(roots, referrers, &entry.digest, &format!("{before}{trunk}"), table);
        }
    }
}
