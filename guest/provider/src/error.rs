//! What a frontend is told where there is no answer: as the host says it.

use portolan_oci::Code;

/// A failed operation. Reads `cannot OPERATION SUBJECT: DETAIL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind it is.
    pub code: Code,
    /// For a person.
    pub message: String,
}

/// The result of anything that may fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// `operation` is a verb in the infinitive, `subject` what it was tried on, `detail` what came back.
    pub fn new(code: Code, operation: &str, subject: &str, detail: &str) -> Self {
        Error { code, message: format!("cannot {operation} {subject}: {detail}") }
    }
}
