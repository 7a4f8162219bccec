//! What the author of a Portolan frontend depends on.
