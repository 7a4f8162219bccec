//! The bundled frontend `create`: a new index from old ones. Merge, append, filter, annotate.
//!
//! It asks for what `docker buildx imagetools create` of buildx 0.36 asks for and makes the same bytes, wherever the order
//! there is no accident (oci-semantics, "`imagetools create`, what to keep and what to better"). In the order of the work:
//! `asked` reads the arguments; `source` finds what they name; `combine` makes one list of it; `filter` takes out
//! what was not asked for and puts statements in; `rewrite` annotates manifests; `document` is what comes out; and
//! `publish` brings it, and all that it leads to, to its targets.
//!
//! Layers never come in here: what has to move, the host moves.

mod annotation;
mod answer;
mod asked;
mod combine;
mod document;
mod filter;
mod publish;
mod rewrite;
mod source;
mod target;

use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};

use asked::Asked;
use source::Source;

/// The frontend.
#[derive(Debug)]
pub struct Create;

#[cfg(not(feature = "judged"))]
portolan_sdk::frontend!(Create);
#[cfg(feature = "judged")]
portolan_sdk::frontend!(Create, portolan_strategy::Bundled);

impl Frontend for Create {
    fn describe() -> Info {
        Info {
            name: "create",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Make a new index from old ones: merge, append, filter, annotate",
            parameters: vec![
                Parameter::pull_reference("source", "A reference, a digest, or a descriptor as JSON")
                    .positional()
                    .repeated(),
                Parameter::push_reference("tag", "Where to put it").short('t').repeated(),
                Parameter::pull_reference_file("file", "A file that holds a source, before those given by place")
                    .short('f')
                    .repeated(),
                Parameter::flag("append", "Add to what the first target is now; the last to write wins"),
                Parameter::text("annotation", "[manifest|manifest-descriptor|index][[PLATFORM]]:KEY=VALUE").repeated(),
                Parameter::text("platform", "Keep the images for these platforms, without fallbacks")
                    .short('p')
                    .repeated(),
                Parameter::flag("prefer-index", "Put a single manifest into an index; =false keeps it").default("true"),
                Parameter::flag("oci", "Write OCI's types where Docker's would be written"),
                Parameter::flag("dry-run", "Print the document and write nothing"),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let asked = Asked::read(ctx, &request)?;
        for target in asked.targets.iter().filter(|_| !asked.dry_run) {
            ctx.may_push(&target.repository)?;
        }
        let sources = Source::find_all(ctx, &asked)?;
        let made = document::make(ctx, &asked, &sources)?;
        for target in &asked.targets {
            target.expects(&made.root.digest)?;
        }
        if asked.dry_run {
            return answer::document(ctx, &made);
        }
        publish::publish(ctx, &asked.targets, &sources, &made)?;
        answer::written(&request, &asked.targets, &made)
    }
}
