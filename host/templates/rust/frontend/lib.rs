//! {{name}}: how many layers has an image, and how large are they together?

use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response, traverse};
use serde::Serialize;

struct Plugin;

#[derive(Serialize)]
struct Answer {
    reference: String,
    layers: usize,
    /// Compressed, in bytes.
    size: u64,
}

impl Frontend for Plugin {
    fn describe() -> Info {
        Info {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            summary: "Say how many layers an image has, and how large they are",
            parameters: vec![
                Parameter::pull_reference("ref", "The image").positional().required(),
                Parameter::text("platform", "For which platform; this machine's otherwise").short('p'),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let platform = request.platform("platform", ctx)?.unwrap_or_else(|| ctx.platform());
        let root = traverse::resolve(ctx, &request.location("ref")?, request.mode())?;
        let image = traverse::select(ctx, &root, &platform, request.mode())?;
        let layers = &image.manifest.layers;
        let answer = Answer {
            reference: root.name(),
            layers: layers.len(),
            size: layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size)),
        };
        match request.format() {
            "json" => Response::json(&answer),
            _ => Ok(Response::text(format!("{} layers, {} bytes", answer.layers, answer.size))),
        }
    }
}

portolan_sdk::frontend!(Plugin);

#[cfg(test)]
mod tests {
    use portolan_sdk::code;
    use portolan_sdk::mock::{Mock, assert_golden};
    use portolan_strategy::Bundled;

    use super::*;

    /// A whole host: names and platforms are judged as `portolan` judges them.
    fn host() -> Mock<Bundled> {
        Mock::new(Bundled).image("docker.io/acme/app", "1", "linux/amd64", &[b"a layer", b"another"])
    }

    #[test]
    fn counts_layers() {
        let answer = host().run::<Plugin>(&[("ref", "acme/app:1")]).unwrap();
        assert_eq!(answer.as_text(), Some("2 layers, 14 bytes\n"));
    }

    /// What is printed, whole. `BLESS=1 cargo test` writes the file.
    #[test]
    fn answers_in_json() {
        let answer = host().run::<Plugin>(&[("ref", "acme/app:1"), ("format", "json")]).unwrap();
        assert_golden("tests/answer.json", &answer);
    }

    #[test]
    fn says_what_is_not_there() {
        let failure = host().run::<Plugin>(&[("ref", "acme/app:2")]).unwrap_err();
        assert_eq!(failure.cause.map(|cause| cause.code).as_deref(), Some(code::NOT_FOUND));
    }
}
