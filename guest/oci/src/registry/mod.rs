//! What registries say in headers, and what their addresses are, as far as that is text: for whoever asks one.
//!
//! Pure. Not here: what is done about it, which is a client's business.

pub mod address;
pub mod challenge;
pub mod link;
pub mod range;
pub mod retry_after;
