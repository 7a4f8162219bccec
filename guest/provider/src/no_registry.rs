//! Registries for a component that asks none: `portolan bundle` without `--http`.

use portolan_oci::{Code, Descriptor, Digest, Reference};

use crate::error::{Error, Result};

/// None.
#[derive(Debug, Default)]
pub(crate) struct Registries;

/// A page of tags, and where the next one starts.
pub(crate) type Page = (Vec<String>, Option<String>);

impl Registries {
    pub(crate) fn resolve(&mut self, reference: &Reference) -> Result<Descriptor> {
        none(reference, "resolve")
    }

    pub(crate) fn fetch(&mut self, reference: &Reference, _: &Descriptor) -> Result<Vec<u8>> {
        none(reference, "fetch from")
    }

    pub(crate) fn read(&mut self, reference: &Reference, _: &Descriptor, _: u64, _: u64) -> Result<Vec<u8>> {
        none(reference, "read from")
    }

    pub(crate) fn tags(&mut self, reference: &Reference, _: Option<&str>) -> Result<Page> {
        none(reference, "list the tags of")
    }

    pub(crate) fn referrers(&mut self, reference: &Reference, _: &Digest, _: Option<&str>) -> Result<Vec<u8>> {
        none(reference, "list the referrers of")
    }
}

fn none<T>(reference: &Reference, operation: &str) -> Result<T> {
    let detail = "this bundle reads layouts only; `portolan bundle --http` makes one that asks registries";
    Err(Error::new(Code::Unsupported, operation, &reference.to_string(), detail))
}
