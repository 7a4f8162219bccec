//! From what was typed to what crosses the boundary: `oci-layout://NAME…` names a folder that the runtime opened. The name
//! may hold `/` and `:`; a frontend gets it percent-encoded.
//!
//! Pure.

use portolan_oci::location::encode_store;
use portolan_oci::{Location, Scheme};

use crate::exit::Exit;

/// Reads a reference and says how a frontend is to be given it: a registry's as it was typed, which a frontend may want to
/// show; a store's in the contract's words. `folders` are the names of what was opened.
///
/// # Errors
/// What is no reference, and a store that was not opened.
pub fn boundary(typed: &str, folders: &[String]) -> Result<String, Exit> {
    let invalid = |error: portolan_oci::InvalidLocation| Exit::failure(error.to_string());
    let scheme = Scheme::ALL.into_iter().find_map(|scheme| {
        typed.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_prefix("://")).map(|rest| (scheme, rest))
    });
    let Some((scheme, rest)) = scheme else {
        return Location::parse(typed).map(|_| typed.to_owned()).map_err(invalid);
    };
    if matches!(scheme, Scheme::Buildkit | Scheme::Containerd) {
        return Err(Exit::failure(format!("cannot read {typed}: a bundle cannot talk to a daemon"))
            .hint("portolan can, with the same frontend"));
    }
    if rest.is_empty() {
        return Err(Exit::failure(format!("{typed:?} is no reference: it names no store")));
    }
    if matches!(scheme, Scheme::OciArchive | Scheme::DockerArchive) {
        return Err(Exit::failure(format!("cannot open the archive {rest}: a bundle reads layouts in folders"))
            .hint("unpack it (tar -xf), and give the folder: wasmtime run --dir DIR::/NAME"));
    }
    let Some((name, rest)) = cut(rest, folders) else {
        let end = rest.find([':', '@']).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or(rest);
        return Err(Exit::not_found(format!("cannot open the layout {name}: no folder was opened under that name"))
            .hint(format!("wasmtime run --dir DIR::/{name} opens one")));
    };
    Location::parse(&format!("{scheme}://{}{rest}", encode_store(name)))
        .map(|location| location.to_string())
        .map_err(invalid)
}

/// The longest leading part that is a folder's name, cut only before `/`, `:`, `@` or the end; and the rest.
fn cut<'a>(text: &'a str, folders: &[String]) -> Option<(&'a str, &'a str)> {
    let cuts = text.char_indices().filter(|(_, char)| matches!(char, '/' | ':' | '@')).map(|(at, _)| at);
    let cuts: Vec<usize> = cuts.chain([text.len()]).filter(|at| *at > 0).collect();
    let cut = |at: usize| text.split_at_checked(at);
    cuts.into_iter().rev().filter_map(cut).find(|(name, _)| folders.iter().any(|folder| folder == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let folders = ["layout".to_owned(), "a/b".to_owned(), "a/b:1".to_owned()];
        let digest = format!("@sha256:{}", "a".repeat(64));
        for (typed, expected) in [
            ("oci-layout://layout", Ok("oci-layout://layout")),
            ("oci-layout://layout:1.4", Ok("oci-layout://layout:1.4")),
            ("oci-layout://layout/alpine:3", Ok("oci-layout://layout/alpine:3")),
            (&format!("oci-layout://layout{digest}"), Ok(&*format!("oci-layout://layout{digest}"))),
            ("oci-layout://a/b", Ok("oci-layout://a%2Fb")),
            ("oci-layout://a/b:1", Ok("oci-layout://a%2Fb%3A1")),
            ("oci-layout://a/b:2", Ok("oci-layout://a%2Fb:2")),
            ("alpine:3", Ok("alpine:3")),
            ("docker://alpine", Ok("docker://alpine")),
            ("oci-layout://", Err(1)),
            ("oci-layout://layout:", Err(1)),
            ("oci-layout://layout@sha256:1", Err(1)),
            ("oci-layout://a:1", Err(5)),
            ("oci-layout://lay", Err(5)),
            ("oci-archive://layout", Err(1)),
            ("docker-archive://layout", Err(1)),
            ("buildkit://", Err(1)),
            ("containerd://layout", Err(1)),
            ("ftp://x", Err(1)),
            ("Upper", Err(1)),
        ] {
            let found = boundary(typed, &folders);
            assert_eq!(found.as_deref().map_err(|exit| exit.status), expected, "{typed}");
        }
    }
}
