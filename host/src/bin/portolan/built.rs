//! `--metadata FILE[#TARGET]`: what `docker buildx build` and `bake` wrote with their own `--metadata-file`, as a reference
//! to what was built. The result is looked for where it was built, so that nothing needs to have been pushed.

use std::fmt::Write as _;

use portolan_oci::Digest;
use serde_json::{Map, Value};

use crate::exit::Exit;

/// Keys of buildx: `BUILDER/NODE/BUILD`, and the digest of the root.
const BUILD: &str = "buildx.build.ref";
const DIGEST: &str = "containerimage.digest";
/// What has the digest, too.
const DESCRIPTOR: &str = "containerimage.descriptor";
/// How the keys begin that are about the build as a whole; all others of bake's are targets.
const OURS: [&str; 2] = ["buildx.", "containerimage."];
/// Targets that a message lists.
const LISTED: usize = 20;

/// What was built, and by whom.
#[derive(Debug, PartialEq, Eq)]
pub struct Built {
    /// `buildkit://…`
    pub reference: String,
    /// The builder and its node.
    pub builder: Option<(String, String)>,
}

/// Reads `FILE[#TARGET]`.
pub fn read(typed: &str) -> Result<Built, Exit> {
    // A file's name may have the sign in it.
    let whole = std::path::Path::new(typed).exists();
    let (file, target) = match typed.rsplit_once('#') {
        Some((file, target)) if !whole => (file, Some(target)),
        _ => (typed, None),
    };
    let fail = |why: String| Exit::failure(format!("cannot tell from the metadata file {file} what was built: {why}"));
    let text = crate::arguments::content(file)?;
    let document: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| fail(format!("it is no JSON object: {error}")))?;
    let (told, target) = match target {
        Some(target) => match document.get(target) {
            Some(Value::Object(told)) => (told, target),
            _ => return Err(fail(format!("it has no target {target:?}{}", there_is(&document)))),
        },
        None if has_result(&document) => (&document, ""),
        None => match targets(&document).as_slice() {
            [(name, told)] => (*told, name.as_str()),
            [] => return Err(fail(nothing(""))),
            _ => {
                let hint = format!("write --metadata {file}#TARGET");
                return Err(fail(format!("it is of several targets{}", there_is(&document))).hint(hint));
            }
        },
    };
    reference(told).map_err(|why| fail(why.unwrap_or_else(|| nothing(target))))
}

fn nothing(target: &str) -> String {
    let of = if target.is_empty() { String::new() } else { format!(" of the target {target:?}") };
    format!("it names no image{of}; a build that only fills the cache, or writes no image, has none")
}

fn has_result(told: &Map<String, Value>) -> bool {
    [DIGEST, DESCRIPTOR, BUILD].iter().any(|key| told.contains_key(*key))
}

fn targets(document: &Map<String, Value>) -> Vec<(&String, &Map<String, Value>)> {
    let targets = document.iter().filter(|(name, _)| !OURS.iter().any(|ours| name.starts_with(ours)));
    targets.filter_map(|(name, told)| Some((name, told.as_object()?))).collect()
}

fn there_is(document: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (place, (name, _)) in targets(document).into_iter().take(LISTED).enumerate() {
        let _ = write!(text, "{}{name:?}", if place == 0 { "; it has " } else { ", " });
    }
    text
}

/// Fails with a reason, or with none where nothing is said at all.
fn reference(told: &Map<String, Value>) -> Result<Built, Option<String>> {
    let text = |key: &str| match told.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Some(format!("its {key:?} is no text"))),
    };
    let of_descriptor = || told.get(DESCRIPTOR).and_then(|descriptor| descriptor.get("digest")?.as_str());
    let digest = text(DIGEST)?.or_else(of_descriptor).ok_or(None)?;
    let digest = Digest::parse(digest).map_err(|error| Some(error.to_string()))?;
    let Some(build) = text(BUILD)? else {
        return Ok(Built { reference: format!("buildkit://@{digest}"), builder: None });
    };
    match build.split('/').collect::<Vec<_>>().as_slice() {
        [builder, node, build] if !build.is_empty() => Ok(Built {
            reference: format!("buildkit://{build}@{digest}"),
            builder: Some(((*builder).to_owned(), (*node).to_owned())),
        }),
        _ => Err(Some(format!("its {BUILD:?} is {build:?}, where BUILDER/NODE/BUILD is written"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn read(text: &str, target: &str) -> Result<Built, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text.replace("DIGEST", D)).unwrap();
        super::read(&format!("{}{target}", file.path().display())).map_err(|exit| format!("{exit:?}"))
    }

    #[test]
    fn what_was_built() {
        let build = r#"{"buildx.build.ref":"ci/ci0/abc","containerimage.digest":"DIGEST","image.name":"a/b"}"#;
        let bake = format!(r#"{{"app":{build},"buildx.build.warnings":{{}}}}"#);
        let two = format!(r#"{{"app":{build},"db":{{"containerimage.digest":"DIGEST"}}}}"#);
        let by_build =
            || Built { reference: format!("buildkit://abc@{D}"), builder: Some(("ci".into(), "ci0".into())) };
        let by_digest = || Built { reference: format!("buildkit://@{D}"), builder: None };
        for (text, target, expected) in [
            (build, "", by_build()),
            (r#"{"containerimage.descriptor":{"digest":"DIGEST"}}"#, "", by_digest()),
            (&bake, "", by_build()),
            (&bake, "#app", by_build()),
            (&two, "#app", by_build()),
            (&two, "#db", by_digest()),
        ] {
            assert_eq!(read(text, target).unwrap(), expected, "{text}{target}");
        }
    }

    #[test]
    fn what_says_nothing_of_a_build() {
        for (text, target, expected) in [
            ("[]", "", "it is no JSON object"),
            ("{}", "", "it names no image;"),
            (r#"{"app":{}}"#, "", "it names no image of the target"),
            (r#"{"buildx.build.ref":"ci/ci0/abc"}"#, "", "it names no image;"),
            (r#"{"app":{},"db":{}}"#, "", "it is of several targets"),
            (r#"{"app":{},"db":{}}"#, "#web", "it has no target"),
            (r#"{"containerimage.digest":1}"#, "", "is no text"),
            (r#"{"containerimage.digest":"sha256:0"}"#, "", "digest"),
            (r#"{"containerimage.digest":"DIGEST","buildx.build.ref":"abc"}"#, "", "BUILDER/NODE/BUILD"),
        ] {
            let message = read(text, target).unwrap_err();
            assert!(message.contains(expected), "{text}\n{message}");
        }
        assert!(super::read("/nope.json#app").is_err());
    }
}
