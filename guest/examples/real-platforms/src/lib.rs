//! A frontend: for which platforms is an image really there?
//!
//! For CI, before an image is built on or released: an index may name what was never copied along, and say of an image what
//! its config denies. So every image is looked up, attestations are none, and where index and config speak of different
//! machines the config is believed; variants, which configs leave out, are the index's to say. All are spelled one way:
//! `linux/aarch64/v8` is `linux/arm64`. With `--wanted` the command ends with status 10 where that is not among them.

use portolan_sdk::oci::{Descriptor, Digest, Platform};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response, traverse};
use serde::Serialize;

/// What `--wanted` exits with.
const LACKS: u8 = 10;

struct RealPlatforms;

#[derive(Serialize)]
struct Answer {
    reference: String,
    images: Vec<Real>,
    missing: Vec<Digest>,
    /// Wanted.
    lacking: Vec<String>,
}

#[derive(Serialize)]
struct Real {
    platform: String,
    manifest: Digest,
    /// What the index says, where that is another machine.
    said: Option<String>,
}

impl Frontend for RealPlatforms {
    fn describe() -> Info {
        Info {
            name: "real-platforms",
            version: env!("CARGO_PKG_VERSION"),
            summary: "List the platforms that an image is really there for",
            parameters: vec![
                Parameter::pull_reference("ref", "The image").positional().required(),
                Parameter::text("wanted", "Exit with status 10 where it is not there for this").short('w').repeated(),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let wanted = request.platforms("wanted", ctx)?;
        let root = traverse::resolve(ctx, &request.location("ref")?, request.mode())?;
        let tree = traverse::walk(ctx, &root)?;
        let configs: Vec<Descriptor> = tree.images.iter().map(|walked| walked.image.manifest.config.bare()).collect();
        traverse::prefetch(ctx, &root.repository, &configs);
        let (mut images, mut there) = (Vec::new(), Vec::new());
        for walked in &tree.images {
            let said = walked.image.platform(ctx)?;
            let built = walked.image.config(ctx)?.config.platform.normalized(&ctx.platform());
            let agree = (&said.os, &said.architecture) == (&built.os, &built.architecture);
            let (real, said) = if agree { (said, None) } else { (built, Some(said.long())) };
            images.push(Real { platform: real.long(), manifest: walked.image.descriptor.digest.clone(), said });
            there.push(real);
        }
        let is_there = |wanted: &Platform| there.iter().any(|real| meets(real, wanted, &ctx.platform()));
        let lacking = wanted.iter().filter(|wanted| !is_there(wanted)).map(Platform::long).collect();
        let missing = tree.missing.iter().filter(|it| it.may_be_image()).map(|it| it.digest.clone()).collect();
        let answer = Answer { reference: root.name(), images, missing, lacking };
        let response = match request.format() {
            "json" => Response::json(&answer)?,
            _ => Response::text(text(&answer)),
        };
        Ok(if answer.lacking.is_empty() { response } else { response.status(LACKS) })
    }
}

/// Whether an image is for what is wanted; a version of the system counts where one is wanted.
fn meets(real: &Platform, wanted: &Platform, machine: &Platform) -> bool {
    let wanted = wanted.normalized(machine);
    real.short() == wanted.short() && (wanted.os_version.is_empty() || real.os_version == wanted.os_version)
}

fn text(answer: &Answer) -> String {
    let mut lines: Vec<String> = Vec::new();
    for Real { platform, said, .. } in &answer.images {
        // Several images may be for one platform.
        let line = platform.clone() + &said.as_ref().map_or(String::new(), |said| format!("  (its index says {said})"));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.extend(answer.missing.iter().map(|digest| format!("not there: {digest}")));
    lines.extend(answer.lacking.iter().map(|platform| format!("wanted, and not there: {platform}")));
    lines.join("\n")
}

portolan_sdk::frontend!(RealPlatforms);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_sdk::oci::media_type;
    use portolan_strategy::Bundled;

    use super::*;

    fn ask(mock: &Mock<Bundled>, arguments: &[(&str, &str)]) -> (String, u8) {
        let answer = mock.run::<RealPlatforms>(arguments).unwrap();
        (answer.as_text().unwrap().to_owned(), answer.status)
    }

    #[test]
    fn on_layouts() {
        let mock = Mock::new(Bundled).folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts"));
        for (reference, wanted, expected, status) in [
            ("buildkit-multi:1.4", "linux/arm/v7", "linux/amd64\nlinux/arm64\nlinux/arm/v7\nlinux/386\n", 0),
            ("buildkit-sbom:1", "linux/aarch64", "linux/amd64\nlinux/arm64\n", 0),
            ("buildkit-single:2", "amd64", "linux/amd64\n", 0),
            ("umoci", "linux/s390x", "linux/amd64\nwanted, and not there: linux/s390x\n", LACKS),
        ] {
            let reference = format!("oci-layout://{reference}");
            let answer = ask(&mock, &[("ref", &reference), ("wanted", wanted)]);
            assert_eq!(answer, (expected.to_owned(), status), "{reference}");
        }
        let (said, status) = ask(&mock, &[("ref", "oci-layout://crane-windows:all"), ("wanted", "windows/amd64")]);
        assert!(said.contains("windows(10.0.20348.9)/amd64\n") && status == 0, "{said}");
    }

    /// An index that names what is not there, and is wrong about what is.
    #[test]
    fn what_an_index_says_is_not_believed() {
        let config = br#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let config_is = Descriptor::of(media_type::OCI_CONFIG, config);
        let written = |descriptor: &Descriptor| serde_json::to_string(descriptor).unwrap();
        let manifest = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, written(&config_is));
        let entry = |bytes: &str, platform| Descriptor {
            platform: Some(Platform::parse(platform, &Platform::default()).unwrap()),
            ..Descriptor::of(media_type::OCI_MANIFEST, bytes.as_bytes())
        };
        let (wrong, gone) = (entry(&manifest, "linux/arm64"), entry("", "linux/s390x"));
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{},{}]}}"#, written(&wrong), written(&gone));
        let mut mock = Mock::new(Bundled).described("ghcr.io/acme/app", None, config_is, config);
        mock = mock.described("ghcr.io/acme/app", None, wrong, manifest);
        mock = mock.document("ghcr.io/acme/app", Some("1"), media_type::OCI_INDEX, index);
        let (said, status) = ask(&mock, &[("ref", "ghcr.io/acme/app:1"), ("wanted", "linux/arm64,linux/amd64")]);
        let missing = format!("not there: {}\nwanted, and not there: linux/arm64\n", gone.digest);
        assert_eq!((said, status), (format!("linux/amd64  (its index says linux/arm64)\n{missing}"), LACKS));
        let json = ask(&mock, &[("ref", "ghcr.io/acme/app:1"), ("format", "json")]);
        assert!(json.0.contains("\"said\": \"linux/arm64\"") && json.1 == 0, "{json:?}");
    }
}
