//! A frontend: which licences have the packages of an image, and are any of them denied?
//!
//! For who answers for what is shipped: the SBOMs of an image are read, in SPDX and CycloneDX, whether they lie in its
//! index, refer to it or stand under cosign's tag. With `--deny 'GPL-3.0*'` the command ends with status 10 where a package
//! has that, and names it; of licences that are offered as a choice all have to be denied. What is not said is called
//! NOASSERTION, as in SPDX. Signatures are not checked, and what no SBOM lists is not seen.

use std::collections::{BTreeMap, BTreeSet};

use portolan_sdk::table::Table;
use portolan_sdk::traverse::{self, Attestation};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};
use serde_json::{Value, json};

/// What the command exits with where something is denied.
const DENIED: u8 = 10;
const UNSAID: &str = "NOASSERTION";

struct Licenses;

/// Packages by licence.
type Report = BTreeMap<String, BTreeSet<String>>;

impl Frontend for Licenses {
    fn describe() -> Info {
        Info {
            name: "licenses",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Count the packages of an image by licence, as its SBOMs say",
            parameters: vec![
                Parameter::pull_reference("ref", "The image").positional().required(),
                Parameter::text("platform", "Only for these platforms; all otherwise").short('p').repeated(),
                Parameter::text("deny", "Exit with status 10 where a package has it; * is any text").repeated(),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let root = traverse::resolve(ctx, &request.location("ref")?, request.mode())?;
        let images = match request.platforms("platform", ctx)?.as_slice() {
            [] => traverse::walk(ctx, &root)?.images,
            some => traverse::attested(ctx, &root, traverse::select_all(ctx, &root, some, request.mode())?)?,
        };
        let subjects = images.iter().map(|it| &it.image.descriptor).chain([&root.descriptor]);
        let subjects: Vec<_> = subjects.map(|it| it.digest.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let mut beside = traverse::stated(ctx, &root.repository, &traverse::referrers(ctx, &root, &subjects)?)?;
        beside.extend(traverse::tagged(ctx, &root, &subjects, request.mode())?);
        let beside = beside.into_iter().map(|(_, attestation)| attestation);
        let said: Vec<Attestation> = images.into_iter().flat_map(|it| it.attestations).chain(beside).collect();
        let sboms = said.iter().flat_map(Attestation::predicates).filter(|it| it.is_sbom());
        let sboms: BTreeMap<_, _> = sboms.map(|it| (&it.descriptor.digest, it)).collect();
        if sboms.is_empty() {
            let failure = Failure::not_found(format!("{} has no SBOM", root.name()));
            return Err(failure.hint("docker buildx build --sbom=true makes one, cosign attest attaches one"));
        }
        let (mut report, deny) = (Report::new(), request.all("deny"));
        for (digest, sbom) in &sboms {
            let statement: Value = serde_json::from_slice(&traverse::statement(ctx, &root.repository, sbom)?)
                .map_err(|error| Failure::malformed(format!("the SBOM {digest} does not read: {error}")))?;
            count(statement.get("predicate").unwrap_or(&Value::Null), &mut report);
        }
        let denied: Report = report.clone().into_iter().filter(|(license, _)| is_denied(license, &deny)).collect();
        let response = match request.format() {
            "json" => Response::json(&json!({"reference": root.name(), "licenses": report, "denied": denied}))?,
            _ => Response::text(shown(&report, &denied)),
        };
        Ok(if denied.is_empty() { response } else { response.status(DENIED) })
    }
}

/// SPDX lists packages, CycloneDX components, which may have others within.
fn count(of: &Value, report: &mut Report) {
    for package in list(of, "packages").chain(list(of, "components")) {
        let licenses = list(package, "licenses");
        let licenses = licenses.filter_map(|it| text(it, &["/expression", "/license/id", "/license/name"]));
        // Several, none of them offered as a choice, all hold.
        let licenses = licenses.map(str::to_owned).reduce(|all, license| all + " AND " + &license);
        let said = text(package, &["/licenseConcluded", "/licenseDeclared"]).map(str::to_owned);
        let named = ["/name", "/versionInfo", "/version"].iter().filter_map(|place| text(package, &[place]));
        let named = named.collect::<Vec<_>>().join(" ");
        report.entry(said.or(licenses).unwrap_or_else(|| UNSAID.to_owned())).or_default().insert(named);
        count(package, report);
    }
}

fn list<'a>(of: &'a Value, place: &str) -> impl Iterator<Item = &'a Value> {
    of.get(place).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(of: &'a Value, places: &[&str]) -> Option<&'a str> {
    places.iter().filter_map(|place| of.pointer(place)?.as_str()).find(|said| *said != UNSAID)
}

fn is_denied(license: &str, deny: &[&str]) -> bool {
    let fits = |text: &str| deny.iter().any(|pattern| fits(&pattern.to_lowercase(), &text.to_lowercase()));
    let names = |text: &str| fits(text) || text.split([' ', '(', ')']).any(fits);
    // What is offered within parentheses may be required together with something outside.
    if license.contains('(') { names(license) } else { license.split(" OR ").all(names) }
}

fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|start| text.strip_prefix(start)) else { return false };
    let Some(end) = pieces.next_back() else { return rest.is_empty() };
    pieces.all(|piece| rest.split_once(piece).map(|(_, after)| rest = after).is_some()) && rest.ends_with(end)
}

fn shown(report: &Report, denied: &Report) -> String {
    let mut table = Table::new(["LICENSE", "PACKAGES", if denied.is_empty() { "" } else { "DENIED" }]).right(1);
    for (license, packages) in report {
        let names: Vec<&str> = denied.get(license).into_iter().flatten().map(String::as_str).collect();
        table.row([license, &packages.len().to_string(), &names.join(", ")]);
    }
    table.to_string()
}

portolan_sdk::frontend!(Licenses);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_strategy::Bundled;

    use super::*;

    fn ask(reference: &str, more: &[(&str, &str)]) -> Result<(String, u8), Failure> {
        let mock = Mock::new(Bundled).folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts"));
        let answer = mock.run::<Licenses>(&[&[("ref", reference)], more].concat())?;
        Ok((answer.as_text().unwrap().to_owned(), answer.status))
    }

    #[test]
    fn in_an_index_and_in_all_that_is_beside_an_image() {
        assert_eq!(ask("oci-layout://buildkit-sbom:1", &[]).unwrap().0, "LICENSE     PACKAGES\nApache-2.0         1\n");
        let (said, status) = ask("oci-layout://regctl-attested:2", &[("deny", "zlib"), ("deny", "MIT")]).unwrap();
        let counted = "\nMIT OR Apache-2.0         1\nZlib                      1  zlib 1.3.1\n";
        assert!(said.starts_with("LICENSE ") && said.ends_with(counted) && status == DENIED, "{said}");
        assert!(ask("oci-layout://buildkit-classic:1", &[]).unwrap_err().hint.unwrap().contains("--sbom"));
    }

    #[test]
    fn what_is_denied() {
        let deny = |license| is_denied(license, &["GPL-3.0*", "some*eul*a"]);
        assert!(deny("GPL-3.0-only OR GPL-3.0-or-later") && deny("MIT AND gpl-3.0-only WITH x"));
        assert!(deny("(MIT OR BSD-2-Clause) AND GPL-3.0-only") && deny("Some Corp. EULA"));
        assert!(!deny("LGPL-3.0-only") && !deny("MIT OR GPL-3.0-only") && !deny("some"));
    }
}
