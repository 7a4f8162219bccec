//! What bills of materials and provenance say, for a reader: packages as a table, a build as a few lines.
//!
//! A summary, not a check: what a document does not say, or says in another shape, is left out. `--format json` has all.

use portolan_oci::text::line;
use portolan_sdk::table::Table;
use serde_json::Value;

/// The packages of an SPDX document, below a line that says whose it is.
pub fn spdx(predicate: &Value, out: &mut String) {
    let mut head = vec![text(predicate, "/spdxVersion"), text(predicate, "/name")];
    if let Some(created) = text(predicate, "/creationInfo/created") {
        head.push(Some(created));
    }
    let head = head.into_iter().flatten().collect::<Vec<_>>().join("  ");
    if !head.is_empty() {
        out.push_str(&line(&head));
        out.push('\n');
    }
    let listed = list(predicate, "/packages");
    packages(
        listed.iter().map(|package| {
            // NOASSERTION is how SPDX says that it has nothing to say.
            let license = ["/licenseConcluded", "/licenseDeclared"]
                .iter()
                .find_map(|place| text(package, place).filter(|license| *license != "NOASSERTION"));
            [text(package, "/name"), text(package, "/versionInfo"), license].map(|cell| cell.unwrap_or("-").to_owned())
        }),
        out,
    );
}

/// The components of a CycloneDX document, below a line that says whose it is.
pub fn cyclonedx(predicate: &Value, out: &mut String) {
    let version = text(predicate, "/specVersion").map(|version| format!("CycloneDX-{version}"));
    let of = ["/metadata/component/name", "/metadata/component/version", "/metadata/timestamp"];
    let head: Vec<&str> =
        version.as_deref().into_iter().chain(of.into_iter().filter_map(|place| text(predicate, place))).collect();
    if !head.is_empty() {
        out.push_str(&line(&head.join("  ")));
        out.push('\n');
    }
    packages(
        list(predicate, "/components").iter().map(|component| {
            let name = text(component, "/name").unwrap_or("-");
            let name = text(component, "/group").map_or_else(|| name.to_owned(), |group| format!("{group}/{name}"));
            let licenses = list(component, "/licenses").iter();
            let licenses: Vec<&str> = licenses
                .filter_map(|license| {
                    ["/license/id", "/license/name", "/expression"].iter().find_map(|place| text(license, place))
                })
                .collect();
            let licenses = if licenses.is_empty() { "-".to_owned() } else { licenses.join(", ") };
            [name, text(component, "/version").unwrap_or("-").to_owned(), licenses]
        }),
        out,
    );
}

fn packages(listed: impl Iterator<Item = [String; 3]>, out: &mut String) {
    let mut listed = listed.peekable();
    if listed.peek().is_none() {
        out.push_str("no packages\n");
        return;
    }
    let mut packages = Table::new(["PACKAGE", "VERSION", "LICENSE"]);
    for package in listed {
        packages.row(package);
    }
    out.push_str(&packages.to_string());
}

/// Where versions 1 and 0.2 of SLSA's provenance say the same thing.
const FACTS: [(&str, [&str; 2]); 9] = [
    ("Build type", ["/buildDefinition/buildType", "/buildType"]),
    ("Builder", ["/runDetails/builder/id", "/builder/id"]),
    ("Frontend", ["/buildDefinition/externalParameters/request/frontend", "/invocation/parameters/frontend"]),
    ("Source", ["/buildDefinition/externalParameters/configSource/uri", "/invocation/configSource/uri"]),
    ("File", ["/buildDefinition/externalParameters/configSource/path", "/invocation/configSource/entryPoint"]),
    (
        "Repository",
        [
            "/runDetails/metadata/buildkit_metadata/vcs/source",
            "/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata/vcs/source",
        ],
    ),
    (
        "Revision",
        [
            "/runDetails/metadata/buildkit_metadata/vcs/revision",
            "/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata/vcs/revision",
        ],
    ),
    ("Started", ["/runDetails/metadata/startedOn", "/metadata/buildStartedOn"]),
    ("Finished", ["/runDetails/metadata/finishedOn", "/metadata/buildFinishedOn"]),
];

/// How an image was built, as a provenance document of version 1 or 0.2 tells it.
pub fn provenance(predicate: &Value, out: &mut String) {
    let mut facts = Table::plain();
    for (name, places) in FACTS {
        if let Some(said) = places.iter().find_map(|place| text(predicate, place)) {
            facts.row([name, said]);
        }
    }
    out.push_str(&facts.to_string());
    let materials = ["/buildDefinition/resolvedDependencies", "/materials"]
        .iter()
        .find_map(|place| predicate.pointer(place).and_then(Value::as_array).filter(|list| !list.is_empty()));
    let Some(materials) = materials else { return };
    let mut table = Table::new(["BUILT FROM", "DIGEST"]);
    for material in materials {
        let digest = material.pointer("/digest").and_then(Value::as_object).and_then(|digests| digests.iter().next());
        let digest = digest.map(|(algorithm, hex)| format!("{algorithm}:{}", hex.as_str().unwrap_or("-")));
        table.row([text(material, "/uri").unwrap_or("-"), digest.as_deref().unwrap_or("-")]);
    }
    out.push('\n');
    out.push_str(&table.to_string());
}

/// The list at a place, empty where there is none.
fn list<'a>(value: &'a Value, place: &str) -> &'a [Value] {
    value.pointer(place).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text at a place, where there is some.
fn text<'a>(value: &'a Value, place: &str) -> Option<&'a str> {
    value.pointer(place).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(write: fn(&Value, &mut String), predicate: &Value) -> String {
        let mut out = String::new();
        write(predicate, &mut out);
        out
    }

    #[test]
    fn versions_of_provenance_read_alike() {
        let material = json!([{"uri": "pkg:docker/alpine@3", "digest": {"sha256": "abc"}}, {"uri": "git"}, 7]);
        let one = json!({
            "buildDefinition": {
                "buildType": "t",
                "externalParameters": {"configSource": {"uri": "u", "path": "p"}, "request": {"frontend": "f"}},
                "resolvedDependencies": material,
            },
            "runDetails": {
                "builder": {"id": "b"},
                "metadata": {
                    "startedOn": "s", "finishedOn": "e",
                    "buildkit_metadata": {"vcs": {"source": "v", "revision": "r"}},
                },
            },
        });
        let zero_two = json!({
            "buildType": "t", "builder": {"id": "b"}, "materials": material,
            "invocation": {"configSource": {"uri": "u", "entryPoint": "p"}, "parameters": {"frontend": "f"}},
            "metadata": {
                "buildStartedOn": "s", "buildFinishedOn": "e",
                "https://mobyproject.org/buildkit@v1#metadata": {"vcs": {"source": "v", "revision": "r"}},
            },
        });
        let wanted = "\
Build type  t
Builder     b
Frontend    f
Source      u
File        p
Repository  v
Revision    r
Started     s
Finished    e

BUILT FROM           DIGEST
pkg:docker/alpine@3  sha256:abc
git                  -
-                    -
";
        assert_eq!(written(provenance, &one), wanted);
        assert_eq!(written(provenance, &zero_two), wanted);
        assert_eq!(written(provenance, &json!([1, 2])), "");
    }

    #[test]
    fn packages_have_the_license_that_is_known() {
        let predicate = json!({
            "spdxVersion": "SPDX-2.3", "name": "n", "creationInfo": 5,
            "packages": [
                {"name": "a", "versionInfo": "1", "licenseConcluded": "MIT", "licenseDeclared": "ISC"},
                {"name": "b", "licenseConcluded": "NOASSERTION", "licenseDeclared": "ISC"},
                {"licenseDeclared": "NOASSERTION", "versionInfo": 2},
                null,
            ],
        });
        assert_eq!(
            written(spdx, &predicate),
            "SPDX-2.3  n\nPACKAGE  VERSION  LICENSE\na        1        MIT\nb        -        ISC\n-        -        -\n-        -        -\n"
        );
        assert_eq!(written(spdx, &Value::Null), "no packages\n");
    }

    #[test]
    fn components_have_their_group_and_their_licenses() {
        let predicate = json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": {"name": "n"}, "timestamp": "t"},
            "components": [
                {"name": "a", "version": "1", "licenses": [{"license": {"id": "MIT"}}, {"license": {"name": "own"}}]},
                {"group": "g", "name": "b", "licenses": [{"expression": "MIT OR ISC"}, 3]},
                7,
            ],
        });
        assert_eq!(
            written(cyclonedx, &predicate),
            "CycloneDX-1.6  n  t\nPACKAGE  VERSION  LICENSE\na        1        MIT, own\ng/b      -        MIT OR ISC\n-        -        -\n"
        );
        assert_eq!(written(cyclonedx, &json!([])), "no packages\n");
    }
}
