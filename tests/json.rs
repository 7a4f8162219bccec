//! Scripts read what `--format json` prints: every field is in the book (`docs/json.md`), with its kind, and nothing is in the
//! book that no command prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use portolan_oci::{Descriptor, Digest, media_type};
use portolan_tests::book::docs;
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::layout::{Layout, index};
use serde_json::{Value, json};

/// The fields of one command: path and kind.
struct Fields<'a> {
    command: &'a str,
    kinds: BTreeMap<&'a str, &'a str>,
    met: BTreeSet<String>,
}

impl<'a> Fields<'a> {
    /// The rows below a heading or a line that begins with what was typed.
    fn of(page: &'a str, command: &'a str) -> Fields<'a> {
        let typed = format!("`{command}`");
        let begins = |line: &&str| {
            line.strip_prefix("## ").unwrap_or(line).split(", ").any(|part| part.trim_end_matches(':') == typed)
        };
        let table = page.lines().skip_while(|line| !begins(line)).skip_while(|line| !line.starts_with("| `"));
        let mut kinds = BTreeMap::new();
        for line in table.take_while(|line| line.starts_with("| `")) {
            let mut cells = line.split(" | ");
            let names = cells.next().unwrap().trim_start_matches("| ").split(", ").map(|name| name.trim_matches('`'));
            let kind = cells.next().unwrap();
            kinds.extend(names.map(|name| (name, kind)));
        }
        assert!(!kinds.is_empty(), "{command} has no table");
        Fields { command, kinds, met: BTreeSet::new() }
    }

    fn meet(&mut self, said: &str) {
        let answer: Value = serde_json::from_str(said).unwrap();
        self.members("", &answer);
    }

    fn members(&mut self, above: &str, value: &Value) {
        for (name, value) in value.as_object().unwrap() {
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            self.value(&path, value);
        }
    }

    fn value(&mut self, path: &str, value: &Value) {
        let entries = format!("{path}[]");
        if let (Some(list), false) = (value.as_array(), self.kinds.contains_key(path)) {
            assert!(self.kinds.contains_key(entries.as_str()), "{}: {path} is not in the book", self.command);
            list.iter().for_each(|value| self.value(&entries, value));
            return;
        }
        let kind = *self.kinds.get(path).unwrap_or_else(|| panic!("{}: {path} is not in the book", self.command));
        self.met.insert(path.to_owned());
        let (kind, nullable) = kind.strip_suffix(" or null").map_or((kind, false), |kind| (kind, true));
        if nullable && value.is_null() {
            return;
        }
        let fits = match kind {
            "text" => value.is_string(),
            "number" => value.is_u64(),
            "yes or no" => value.is_boolean(),
            "as stored" => true,
            "texts" => value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)),
            "texts by key" => value.as_object().is_some_and(|texts| texts.values().all(Value::is_string)),
            "content" => has(value, CONTENT, &[]),
            "descriptor" => has(value, CONTENT, &["platform", "annotations", "artifactType", "urls", "data"]),
            "layer" => has(value, &[CONTENT, &["diffId", "chainId"]].concat(), &["position"]),
            "change" => has(value, &["path"], &["a", "b"]),
            "step" => has(value, &["position", "step"], &[]),
            "remark" => has(value, &["value", "by"], &[]),
            "saying" => has(value, &["values", "by"], &[]),
            "object" => {
                self.members(path, value);
                true
            }
            _ => panic!("{}: {path} is of no kind: {kind}", self.command),
        };
        assert!(fits, "{}: {path} is no {kind}: {value}", self.command);
    }

    fn done(self) {
        let never: Vec<&&str> = self.kinds.keys().filter(|path| !self.met.contains(**path)).collect();
        assert!(never.is_empty(), "{} never said {never:?}", self.command);
    }
}

const HOSTS: &str = r#"
server = "https://r.corp:5000"
nobody-knows = 1
[host."https://m.corp"]
  capabilities = ["pull"]
  ca = "a.pem"
  realms = ["10.0.0.7:8443"]
  [host."https://m.corp".header]
    x-a = ["b"]
"#;

const AUTH: &str = r#"{ "auths": { "r.corp:5000": { "auth": "YTpi" } } }"#;

const CONTENT: &[&str] = &["mediaType", "digest", "size"];

/// Whether it is an object with these members, and with others than those that it may have.
fn has(value: &Value, all: &[&str], some: &[&str]) -> bool {
    value.as_object().is_some_and(|members| {
        let known = |name: &String| all.contains(&name.as_str()) || some.contains(&name.as_str());
        all.iter().all(|name| members.contains_key(*name)) && members.keys().all(known)
    })
}

/// `1` is an index with an entry that is no image, one whose content is not there, and a statement of the index itself; a layer
/// of `2` is not there.
fn odd() -> Layout {
    let layout = Layout::new();
    let image = layout.image(b"layer");
    let other = layout.insert("application/vnd.example.thing+json", "{}");
    let mut missing = image.manifest.clone();
    missing.digest = Digest::sha256(b"nobody has this");
    let root = layout.insert(media_type::OCI_INDEX, index(&[image.manifest, other, missing]));
    let (empty, statement) =
        (layout.insert(media_type::OCI_EMPTY, "{}"), layout.insert("application/vnd.in-toto+json", "{}"));
    let mut said = layout.insert(
        media_type::OCI_MANIFEST,
        json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": "application/vnd.in-toto+json",
            "config": empty, "subject": root,
            "layers": [{
                "mediaType": statement.media_type, "digest": statement.digest, "size": statement.size,
                "annotations": { "in-toto.io/predicate-type": "https://spdx.dev/Document" },
            }],
        })
        .to_string(),
    );
    said.annotations.insert("io.containerd.manifest.subject".to_owned(), root.digest.to_string());
    let mut root = root;
    root.annotations.insert("org.opencontainers.image.ref.name".to_owned(), "1".to_owned());
    // A layer that is only where its URL says.
    let mut elsewhere =
        Descriptor::of("application/vnd.oci.image.layer.nondistributable.v1.tar", b"somebody else has this");
    elsewhere.urls = vec!["https://example.com/layer".to_owned()];
    let (_, mut windows) = layout.manifest("amd64", &[elsewhere]);
    windows.annotations.insert("org.opencontainers.image.ref.name".to_owned(), "2".to_owned());
    layout.entries(&[root, windows, said]);
    layout
}

#[test]
fn every_field_is_in_the_book_and_is_what_the_book_says() {
    let page = fs::read_to_string(docs().join("json.md")).unwrap();
    let (folder, odd) = (tempfile::tempdir().unwrap(), odd());
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
    fs::create_dir_all(folder.path().join("certs.d/r.corp:5000")).unwrap();
    for (file, text) in [("certs.d/r.corp:5000/hosts.toml", HOSTS), ("auth.json", AUTH), ("judge.wasm", "")] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let layout = |name: &str| format!("oci-layout://{}", fixtures::layout(name).display());
    let attested = format!("{}:2", layout("regctl-attested"));
    let (multi, sbom) = (format!("{}:1.4", layout("buildkit-multi")), format!("{}:1", layout("buildkit-sbom")));
    let roots = [
        multi.clone(),
        sbom.clone(),
        attested.clone(),
        format!("{}:2", layout("buildkit-single")),
        layout("crane-windows"),
        layout("buildkit-artifact"),
        format!("oci-layout://{}:1", odd.folder().display()),
    ];
    for (command, lines) in [
        ("inspect", roots.iter().map(|root| format!("inspect {root} --referrers")).collect()),
        ("inspect --sbom", vec![format!("inspect {sbom} --sbom"), format!("inspect {attested} --provenance")]),
        (
            "resolve",
            [&multi, &sbom]
                .into_iter()
                .flat_map(|root| [format!("resolve {root}"), format!("resolve {root} --platform linux/arm64")])
                .collect(),
        ),
        ("layers", vec![format!("layers {multi} --history"), format!("layers {sbom} --last")]),
        ("tags", vec![format!("tags {}", layout("umoci"))]),
        (
            "copy",
            vec![
                format!("copy {attested} oci-layout://there:1"),
                format!("copy {} oci-layout://all --all-tags", layout("buildkit-multi")),
                format!("copy oci-layout://{}:2 oci-layout://odd:1", odd.folder().display()),
            ],
        ),
        ("create", vec![format!("create -t oci-layout://there:2 {multi} {sbom} --annotation manifest:a=b")]),
        (
            "diff",
            vec![
                format!("diff {multi} {sbom}"),
                format!("diff {multi} {}", roots[3]),
                format!("diff {multi} {}", roots[6]),
                format!("diff {} {multi}", roots[6]),
            ],
        ),
        ("explain reference", vec!["explain reference alpine".to_owned()]),
        (
            "explain registry",
            vec![
                "explain registry r.corp:5000 --hosts-dir certs.d --authfile auth.json".to_owned(),
                "explain registry docker.io".to_owned(),
            ],
        ),
        ("explain policy", vec!["explain policy copy --strategy judge.wasm".to_owned()]),
        (
            "explain platform",
            vec!["explain platform windows(10.0.17763+win32k)/amd64 --among linux/arm64,linux/arm/v6".to_owned()],
        ),
    ] {
        let mut fields = Fields::of(&page, command);
        for line in lines {
            fields.meet(&portolan.ok(&format!("{line} --format json")));
        }
        fields.done();
    }
}
