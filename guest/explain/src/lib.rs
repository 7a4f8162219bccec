//! The bundled frontend `explain`: what Portolan makes of a reference or a platform.
//!
//! No registry is asked and no store opened. Only the order of `--among` is a judgement, and so the strategy's.

mod platform;
mod reference;

use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};

/// The frontend.
#[derive(Debug, Clone, Copy)]
pub struct Explain;

impl Frontend for Explain {
    fn describe() -> Info {
        Info {
            name: "explain",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Show what Portolan makes of a reference or a platform",
            parameters: vec![
                Parameter::choice("kind", &["reference", "platform"], "What the text is").positional().required(),
                Parameter::text("text", "The reference, without a scheme, or the platform").positional().required(),
                Parameter::text("among", "Put these platforms in the order in which TEXT would take them").repeated(),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let text = request.text("text").unwrap_or_default();
        let among: Vec<&str> =
            request.all("among").into_iter().flat_map(|list| list.split(',')).map(str::trim).collect();
        let json = request.format() == "json";
        match request.text("kind") {
            Some("platform") => {
                let explained = platform::explain(ctx, text, &among, request.mode())?;
                if json { Response::json(&explained) } else { Ok(Response::text(explained.to_string())) }
            }
            _ if !among.is_empty() => Err(Failure::new("among is for platforms").hint("leave it out")),
            _ => {
                let explained = reference::explain(text)?;
                if json { Response::json(&explained) } else { Ok(Response::text(explained.to_string())) }
            }
        }
    }
}

#[cfg(not(feature = "judged"))]
portolan_sdk::frontend!(Explain);
#[cfg(feature = "judged")]
portolan_sdk::frontend!(Explain, portolan_strategy::Bundled);
