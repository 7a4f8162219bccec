//! From what was typed to what crosses the boundary: `oci-layout://DIR…` names a folder on this machine, a guest may only
//! name a store. Each store that a reference names is opened here and bound under its text, percent-encoded.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portolan::source::Source;
use portolan::source::archive::Archive;
use portolan::source::layout::Layout;
use portolan::{Code, Error};
use portolan_oci::location::encode_store;
use portolan_oci::{Location, Scheme};

use crate::exit::Exit;

/// What `--store` named, and what the references of this command opened.
#[derive(Default)]
pub struct Stores {
    named: BTreeMap<String, PathBuf>,
    /// By what guests call them.
    opened: BTreeMap<String, (String, Arc<dyn Source>)>,
}

impl Stores {
    /// `NAME=DIR` of each `--store`.
    pub fn new<'a>(options: impl Iterator<Item = &'a str>) -> Result<Self, Exit> {
        let mut stores = Stores::default();
        for option in options {
            let Some((name, folder)) =
                option.split_once('=').filter(|(name, folder)| !name.is_empty() && !folder.is_empty())
            else {
                return Err(Exit::usage(format!("--store {option:?} is not NAME=DIR")));
            };
            if name.contains(['/', ':', '@']) {
                return Err(Exit::usage(format!("--store {option:?}: a store's name has no `/`, `:` or `@`")));
            }
            if stores.named.insert(name.into(), folder.into()).is_some() {
                return Err(Exit::usage(format!("--store names {name:?} twice")));
            }
        }
        Ok(stores)
    }

    /// Reads a reference, opens the store that it names, and says how a guest may write it.
    pub fn locate(&mut self, typed: &str) -> Result<Location, Exit> {
        let scheme = Scheme::ALL.into_iter().find_map(|scheme| {
            typed.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_prefix("://")).map(|rest| (scheme, rest))
        });
        let Some((scheme, rest)) = scheme else {
            return Location::parse(typed).map_err(|error| Exit::failure(error.to_string()));
        };
        if rest.is_empty() {
            return Err(Exit::failure(format!("{typed:?} is no reference: it names no store")));
        }
        let Some((name, path, rest)) = self.cut(scheme, rest) else {
            return Err(nothing_there(scheme, rest));
        };
        let repository = self.open(scheme, name, &path)?;
        Location::parse(&format!("{repository}{rest}")).map_err(|error| Exit::failure(error.to_string()))
    }

    /// Opens a store once, and says what guests call it.
    fn open(&mut self, scheme: Scheme, name: &str, path: &Path) -> Result<String, Exit> {
        let bound = encode_store(name);
        let repository = format!("{scheme}://{bound}");
        if !self.opened.contains_key(&repository) {
            let source: Arc<dyn Source> = match scheme {
                Scheme::OciLayout => Arc::new(Layout::open(path, &repository)?),
                Scheme::OciArchive => Arc::new(Archive::open(path, &repository)?),
            };
            self.opened.insert(repository.clone(), (bound, source));
        }
        Ok(repository)
    }

    /// Opens what `--store` named, as a frontend may ask for it by itself: a folder as a layout, a file as an archive.
    pub fn open_named(&mut self) -> Result<(), Exit> {
        for (name, path) in self.named.clone() {
            let scheme = if path.is_dir() { Scheme::OciLayout } else { Scheme::OciArchive };
            self.open(scheme, &name, &path)?;
        }
        Ok(())
    }

    /// The longest leading part that is a store, cut only before `/`, `:`, `@` or the end: as typed, on disk, and the rest.
    fn cut<'a>(&self, scheme: Scheme, text: &'a str) -> Option<(&'a str, PathBuf, &'a str)> {
        let cuts = text.char_indices().filter(|(_, char)| matches!(char, '/' | ':' | '@')).map(|(at, _)| at);
        let cuts: Vec<usize> = cuts.chain([text.len()]).filter(|at| *at > 0).collect();
        cuts.into_iter().rev().find_map(|at| {
            let (name, rest) = text.split_at(at);
            match self.named.get(name) {
                Some(path) => Some((name, path.clone(), rest)),
                None => is_store(scheme, Path::new(name)).then(|| (name, PathBuf::from(name), rest)),
            }
        })
    }

    /// What was opened, each with the name to bind it under.
    pub fn into_opened(self) -> impl Iterator<Item = (String, Arc<dyn Source>)> {
        self.opened.into_values()
    }
}

/// Whether a store of this kind lies there.
fn is_store(scheme: Scheme, path: &Path) -> bool {
    match scheme {
        Scheme::OciLayout => Layout::is_at(path),
        Scheme::OciArchive => path.metadata().is_ok_and(|metadata| !metadata.is_dir()),
    }
}

fn nothing_there(scheme: Scheme, text: &str) -> Exit {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let end = text.get(last..).and_then(|name| name.find([':', '@'])).map_or(text.len(), |at| last + at);
    let path = text.get(..end).unwrap_or(text);
    let (operation, detail) = match scheme {
        Scheme::OciLayout if Path::new(path).is_dir() => ("open the layout", "the folder has no index.json"),
        Scheme::OciLayout if Path::new(path).exists() => ("open the layout", "it is a file, not a folder"),
        Scheme::OciLayout => ("open the layout", "there is no such folder"),
        Scheme::OciArchive if Path::new(path).is_dir() => ("open the archive", "it is a folder"),
        Scheme::OciArchive => ("open the archive", "there is no such file"),
    };
    let exit = Exit::from(Error::new(Code::NotFound, operation, path, detail));
    match scheme {
        Scheme::OciLayout if is_store(Scheme::OciArchive, Path::new(path)) => {
            exit.hint(format!("an archive is written oci-archive://{path}"))
        }
        Scheme::OciArchive if is_store(Scheme::OciLayout, Path::new(path)) => {
            exit.hint(format!("a layout is written oci-layout://{path}"))
        }
        Scheme::OciLayout => exit.hint(
            "BuildKit writes a layout with --output type=oci,tar=false,dest=DIR; `--store NAME=DIR` gives one a name",
        ),
        Scheme::OciArchive => exit.hint("BuildKit writes an archive with --output type=oci,dest=FILE"),
    }
}

/// A word of the command line as text.
pub fn utf8(word: &OsString) -> Result<&str, Exit> {
    word.to_str().ok_or_else(|| Exit::usage(format!("{word:?} is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["layout", "at/@/layout", "layout:1", "layout/inner"] {
            let layout = folder.path().join(name);
            std::fs::create_dir_all(&layout).unwrap();
            std::fs::write(layout.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
            std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        }
        folder
    }

    #[test]
    fn the_longest_part_that_is_a_layout_is_the_store() {
        let folder = folder();
        let root = folder.path().to_str().unwrap();
        let digest = format!("@sha256:{}", "a".repeat(64));
        let table = [
            ("layout", "layout", ""),
            ("layout:1.3", "layout", ":1.3"),
            ("layout:1", "layout:1", ""),
            ("layout:1:1.3", "layout:1", ":1.3"),
            ("layout/alpine:3", "layout", "/alpine:3"),
            ("layout/inner:3", "layout/inner", ":3"),
            ("at/@/layout:3", "at/@/layout", ":3"),
            (&format!("layout{digest}"), "layout", &digest),
            (&format!("layout:1.3{digest}"), "layout", &format!(":1.3{digest}")),
        ];
        for (typed, store, rest) in table {
            let location = Stores::default().locate(&format!("oci-layout://{root}/{typed}")).unwrap();
            let expected = format!("oci-layout://{}{rest}", encode_store(format!("{root}/{store}")));
            assert_eq!(location.to_string(), expected, "{typed}");
            assert_eq!(location.shown(), format!("oci-layout://{root}/{store}{rest}"), "{typed}");
        }
    }

    #[test]
    fn a_name_is_bound_by_option() {
        let folder = folder();
        let option = format!("out={}/layout", folder.path().display());
        let mut stores = Stores::new([option.as_str()].into_iter()).unwrap();
        assert_eq!(stores.locate("oci-layout://out:app").unwrap().to_string(), "oci-layout://out:app");
        for wrong in ["out", "=x", "out=", "a/b=x"] {
            assert!(Stores::new([wrong].into_iter()).is_err(), "{wrong}");
        }
        assert!(Stores::new(["a=b", "a=c"].into_iter()).is_err());
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = folder();
        let root = folder.path().to_str().unwrap();
        for typed in [
            format!("oci-layout://{root}/nope:1"),
            format!("oci-archive://{root}/nope.tar"),
            format!("oci-archive://{root}/layout"),
        ] {
            assert!(Stores::default().locate(&typed).is_err(), "{typed}");
        }
    }
}
