//! A frontend in Rust: as which user do an image's processes run?
//!
//! A question for CI: with `--not-root` the command ends with status 10 where the answer is root. The SDK finds the image;
//! what is left to write is the question.
//!
//! `docs/writing-a-frontend.md` says how it is built, tested and run.

use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response, code, traverse};
use serde_json::Value;

/// What `--not-root` exits with.
const IS_ROOT: u8 = 10;

struct RunsAs;

impl Frontend for RunsAs {
    fn describe() -> Info {
        Info {
            name: "runs-as",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Say as which user an image runs",
            parameters: vec![
                Parameter::pull_reference("ref", "The image").positional().required(),
                Parameter::text("platform", "For which platform; this machine's otherwise").short('p'),
                Parameter::flag("not-root", "Exit with status 10 where it is root"),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let platform = request.platform("platform", ctx)?.unwrap_or_else(|| ctx.platform());
        let root = traverse::resolve(ctx, &request.location("ref")?, request.mode())?;
        let image = traverse::select(ctx, &root, &platform, request.mode())?;
        let config: Value = serde_json::from_slice(&image.config(ctx)?.bytes)
            .map_err(|error| Failure::of(code::MALFORMED, format!("the config of {}: {error}", root.name())))?;
        let user = match config.pointer("/config/User").and_then(Value::as_str) {
            // Nobody said, which means root.
            None | Some("") => "root",
            Some(user) => user,
        };
        let answer = match request.format() {
            "json" => Response::json(&serde_json::json!({ "reference": root.name(), "user": user }))?,
            _ => Response::text(user),
        };
        let answer = answer.metadata("image.digest", image.descriptor.digest.as_str());
        Ok(match request.flag("not-root") && is_root(user) {
            true => answer.status(IS_ROOT),
            false => answer,
        })
    }
}

/// `USER[:GROUP]`, by name or by number.
fn is_root(user: &str) -> bool {
    let name = user.split_once(':').map_or(user, |(name, _)| name);
    name == "root" || name.parse() == Ok(0_u32)
}

portolan_sdk::frontend!(RunsAs);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_strategy::Bundled;

    use super::*;

    #[test]
    fn tells_root_from_others() {
        for (user, root) in
            [("root", true), ("0", true), ("00:0", true), ("root:wheel", true), ("app", false), ("1000:0", false)]
        {
            assert_eq!(is_root(user), root, "{user}");
        }
    }

    /// The mock is a whole host: layouts on disk, the bundled strategy, the checks that a real one makes.
    #[test]
    fn answers_on_a_layout() {
        let layouts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts");
        let mock = Mock::new(Bundled).folder(layouts);
        let ask = |reference| mock.run::<RunsAs>(&[("ref", reference), ("not-root", "true")]);

        let app = ask("oci-layout://buildkit-sbom:1").unwrap();
        assert_eq!((app.as_text(), app.status), (Some("10:10\n"), 0));
        let unsaid = ask("oci-layout://buildkit-multi:1.4").unwrap();
        assert_eq!((unsaid.as_text(), unsaid.status), (Some("root\n"), IS_ROOT));
        let failure = ask("oci-layout://buildkit-multi:nope").unwrap_err();
        assert_eq!(failure.cause.unwrap().code, code::NOT_FOUND);
    }
}
