//! What must not be told: the password, in every form that it is sent in, every token, and a header of the configuration.

use portolan_hostile::scripts::{PASSWORD, TOKEN};

/// A header that the configuration has for the registry.
pub const HEADER: (&str, &str) = ("x-key", "k3y-of-ada");

/// `USER:PASSWORD` in base64, as Basic sends it; a test compares them.
pub const BASIC: &str = "YWRhOnBhNTV3b3JkLW9mLWFkYQ==";

/// A secret that is in this text.
pub fn found_in(text: &str) -> Option<&'static str> {
    [PASSWORD, TOKEN, HEADER.1, BASIC].into_iter().find(|secret| text.contains(secret))
}
