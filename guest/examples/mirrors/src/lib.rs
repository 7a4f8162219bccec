//! A frontend: do several references serve the same image?
//!
//! For who runs mirrors, or moves from one registry to another: all are asked side by side for the digest of their root,
//! and no document is read. The first that answers is what the others are held against, so name the original first. Where
//! one serves something else, or does not answer, the command ends with status 10 and says which.

use portolan_sdk::oci::{Digest, Location};
use portolan_sdk::table::Table;
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response, code, traverse};
use serde::Serialize;

/// What the command exits with where not all serve the same.
const DIFFERS: u8 = 10;

struct Mirrors;

#[derive(Serialize)]
struct Answer {
    same: bool,
    references: Vec<Served>,
}

#[derive(Serialize)]
struct Served {
    reference: String,
    digest: Option<Digest>,
    /// Why there is none, and the kind of that error.
    error: Option<String>,
    code: Option<String>,
}

impl Frontend for Mirrors {
    fn describe() -> Info {
        Info {
            name: "mirrors",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Say whether several references serve the same image",
            parameters: vec![
                Parameter::pull_reference("ref", "The image, once for each place; the original first")
                    .positional()
                    .required()
                    .repeated(),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let locations: Vec<Location> = request.all("ref").into_iter().map(Location::parse).collect::<Result<_, _>>()?;
        if let [alone] = locations.as_slice() {
            return Err(Failure::new(format!("{} alone cannot differ from anything", alone.shown()))
                .hint("name the original and then its mirrors"));
        }
        let answers = traverse::find_all(ctx, &locations, request.mode());
        let Some(original) = answers.iter().flatten().map(|found| found.descriptor.digest.clone()).next() else {
            // Nobody answers: that is no answer, and the first error is as good as any.
            let first = answers.into_iter().find_map(Result::err);
            return Err(first.unwrap_or_else(|| Failure::new("there is nothing to ask")).context("none answers"));
        };
        let references: Vec<Served> =
            locations.iter().zip(answers).map(|(asked, answer)| served(asked, answer)).collect();
        let same = references.iter().all(|served| served.digest.as_ref() == Some(&original));
        let answer = Answer { same, references };
        let response = match request.format() {
            "json" => Response::json(&answer)?,
            _ => Response::text(text(&answer, &original)),
        };
        let response = response.metadata("image.digest", original.as_str());
        Ok(if same { response } else { response.status(DIFFERS) })
    }
}

fn served(asked: &Location, answer: Result<traverse::Found, Failure>) -> Served {
    let reference = asked.shown();
    match answer {
        Ok(found) => Served { reference, digest: Some(found.descriptor.digest), error: None, code: None },
        Err(Failure { message, cause, .. }) => {
            let code = cause.map_or_else(|| code::OTHER.to_owned(), |cause| cause.code);
            Served { reference, digest: None, error: Some(message), code: Some(code) }
        }
    }
}

fn text(answer: &Answer, original: &Digest) -> String {
    let mut table = Table::plain();
    for Served { reference, digest, error, .. } in &answer.references {
        let (is, what) = match (digest, error) {
            (Some(digest), _) if digest == original => ("same", digest.as_str()),
            (Some(digest), _) => ("differs", digest.as_str()),
            (None, error) => ("no answer", error.as_deref().unwrap_or_default()),
        };
        table.row([is, reference, what]);
    }
    table.to_string()
}

portolan_sdk::frontend!(Mirrors);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_strategy::Bundled;

    use super::*;

    const LAYOUTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts");
    const MULTI: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
    const SBOM: &str = "sha256:f880d241d4d837c652a3c729bebfea9d7f4387d439e93b9e5a8317cdff0dae9f";

    fn ask(references: &[&str], format: &str) -> Result<(String, u8), Failure> {
        let mock = Mock::new(Bundled)
            .folder(LAYOUTS)
            .registry("docker.io/acme/app", format!("{LAYOUTS}/buildkit-multi"))
            .registry("ghcr.io/acme/app", format!("{LAYOUTS}/buildkit-multi"))
            .registry("quay.io/acme/app", format!("{LAYOUTS}/buildkit-sbom"));
        let mut arguments: Vec<(&str, &str)> = references.iter().map(|reference| ("ref", *reference)).collect();
        arguments.push(("format", format));
        let answer = mock.run::<Mirrors>(&arguments)?;
        // Registries are asked in one question, side by side.
        assert_eq!(mock.asked().iter().filter(|asked| asked.starts_with("resolve")).count(), 1);
        Ok((answer.as_text().unwrap().to_owned(), answer.status))
    }

    #[test]
    fn all_serve_the_same_or_it_says_who_does_not() {
        let same =
            ask(&["acme/app:1.4", "ghcr.io/acme/app:latest", "oci-layout://buildkit-multi:1.4"], "text").unwrap();
        let lines: Vec<&str> = same.0.lines().collect();
        assert_eq!(lines[0], format!("same  docker.io/acme/app:1.4           {MULTI}"));
        assert_eq!((lines.len(), same.1), (3, 0));

        let (said, status) = ask(&["acme/app:1.4", "quay.io/acme/app:1", "ghcr.io/acme/app:nope"], "text").unwrap();
        assert!(said.contains(&format!("differs    quay.io/acme/app:1      {SBOM}\n")), "{said}");
        assert!(said.contains("no answer  ghcr.io/acme/app:nope   cannot resolve ghcr.io/acme/app:nope"), "{said}");
        assert_eq!(status, DIFFERS);

        let json = ask(&["ghcr.io/acme/app:nope", "acme/app:1.4"], "json").unwrap().0;
        assert!(json.contains("\"same\": false") && json.contains("\"code\": \"not-found\""), "{json}");
    }

    #[test]
    fn nothing_to_compare_is_a_failure() {
        assert!(ask(&["acme/app:1.4"], "text").unwrap_err().hint.unwrap().contains("mirrors"));
        let none = ask(&["acme/app:nope", "ghcr.io/acme/app:nope"], "text").unwrap_err();
        assert!(none.message.contains("docker.io/acme/app:nope") && none.is_not_found(), "{none}");
        assert_eq!(ask(&["acme/app:1.4", "No"], "text").unwrap_err().cause.unwrap().code, code::INVALID_REFERENCE);
    }
}
