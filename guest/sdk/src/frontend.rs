//! What an author writes.

use crate::failure::Failure;
use crate::host::Context;
use crate::parameter::Info;
use crate::request::Request;
use crate::response::Response;
use crate::typed::{Query, ResolvedImage};

/// One question in, one document out. A component lives for one run: there is no state to keep.
pub trait Frontend {
    /// What it is called and what it takes.
    fn describe() -> Info;

    /// Answers a request whose arguments are checked against [`describe`](Frontend::describe).
    ///
    /// # Errors
    /// Whatever keeps it from an answer, for the person who asked.
    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure>;
}

/// Answers the typed question of build hosts.
pub trait ImageResolver: Frontend {
    /// Index, manifest and config of a reference for a platform.
    ///
    /// # Errors
    /// Whatever keeps it from an answer.
    fn resolve_image(ctx: &impl Context, query: Query) -> Result<ResolvedImage, Failure>;
}
