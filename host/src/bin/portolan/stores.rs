//! From what was typed to what crosses the boundary: `oci-layout://DIR…` names a folder on this machine, a guest may only
//! name a store. Each store that a reference names is opened here and bound under its text, percent-encoded; one that is
//! written to need not be there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portolan::source::Source;
use portolan::source::archive::Archive;
use portolan::source::archive::docker::DockerArchive;
use portolan::source::buildkit::Builder;
use portolan::source::layout::Layout;
use portolan::{Code, Error, Limits};
use portolan_oci::location::encode_store;
use portolan_oci::reference::is_tag;
use portolan_oci::{Location, Scheme};

use crate::daemons;
use crate::exit::Exit;

/// What stands for standard input where a tar is meant.
const STANDARD_INPUT: &str = "-";

/// What `--store` named, and what the references of this command opened.
pub struct Stores {
    named: BTreeMap<String, PathBuf>,
    builder: Builder,
    /// By what guests call them.
    opened: BTreeMap<String, (String, Arc<dyn Source>)>,
}

impl Stores {
    /// `NAME=DIR` of each `--store`, and the builder whose results may be meant.
    pub fn new<'a>(options: impl Iterator<Item = &'a str>, builder: Builder) -> Result<Self, Exit> {
        let mut stores = Stores { named: BTreeMap::new(), builder, opened: BTreeMap::new() };
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
        self.find(typed, false, |stores, scheme, rest| {
            stores.cut(scheme, rest).ok_or_else(|| nothing_there(scheme, rest))
        })
    }

    /// The same of what is written to: a store that is not there yet is made when something is put into it.
    pub fn locate_target(&mut self, typed: &str) -> Result<Location, Exit> {
        self.find(typed, true, |stores, scheme, rest| match stores.cut(scheme, rest) {
            Some(cut) => Ok(cut),
            None => {
                let (name, rest) = new_store(scheme, rest)?;
                Ok((name, PathBuf::from(name), rest))
            }
        })
    }

    /// Reads an archive from standard input, which comes by once.
    fn receive(&mut self, scheme: Scheme) -> Result<String, Exit> {
        let repository = format!("{scheme}://{}", encode_store(STANDARD_INPUT));
        if self.opened.contains_key(&repository) {
            return Ok(repository);
        }
        let other = Scheme::ALL.map(|scheme| format!("{scheme}://{STANDARD_INPUT}"));
        if let Some(other) = other.iter().find(|other| self.opened.contains_key(*other)) {
            return Err(Exit::failure(format!("cannot read {repository}: standard input was read as {other}"))
                .hint("save the archive to a file first, and name that"));
        }
        let input = std::io::stdin();
        if input.is_terminal() {
            return Err(Exit::failure(format!("cannot read {repository}: standard input is a terminal"))
                .hint("pipe an archive in, as `COMMAND | portolan …`, or name a file"));
        }
        let limits = Limits::default();
        let source: Arc<dyn Source> = match scheme {
            Scheme::DockerArchive => Arc::new(DockerArchive::receive(input, &repository, &limits)?),
            _ => Arc::new(Archive::receive(input, &repository, &limits)?),
        };
        self.opened.insert(repository.clone(), (encode_store(STANDARD_INPUT), source));
        Ok(repository)
    }

    fn find(
        &mut self,
        typed: &str,
        may_be_new: bool,
        cut: impl for<'a> FnOnce(&Self, Scheme, &'a str) -> Result<(&'a str, PathBuf, &'a str), Exit>,
    ) -> Result<Location, Exit> {
        let scheme = Scheme::ALL.into_iter().find_map(|scheme| {
            typed.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_prefix("://")).map(|rest| (scheme, rest))
        });
        let Some((scheme, rest)) = scheme else {
            if is_like_a_file(typed) {
                let message = format!("{typed} is the repository docker.io/library/{typed}, and looks like a file");
                let hint =
                    format!("a file is written oci-archive://{typed}; the repository, if that is meant, in full");
                return Err(Exit::usage(message).hint(hint));
            }
            return Location::parse(typed).map_err(|error| {
                let exit = Exit::failure(error.to_string());
                match Path::new(typed) {
                    path if path.is_dir() => exit.hint(format!("a layout is written oci-layout://{typed}")),
                    path if path.exists() => exit.hint(format!("an archive is written oci-archive://{typed}")),
                    _ => exit,
                }
            });
        };
        let (repository, rest) = match scheme {
            Scheme::Buildkit | Scheme::Containerd if may_be_new => {
                return Err(Exit::failure(format!("cannot write to {typed}: what a daemon has can only be read")));
            }
            Scheme::Buildkit => {
                let builder = &self.builder;
                let open = |repository: &str| daemons::buildkit(builder, repository);
                (bind(&mut self.opened, scheme, daemons::BUILDKIT, open)?, daemons::after_store(rest))
            }
            Scheme::Containerd => {
                let (namespace, rest) = daemons::cut(rest)?;
                let open = |repository: &str| daemons::containerd(&namespace, repository);
                (bind(&mut self.opened, scheme, &namespace, open)?, rest)
            }
            Scheme::OciLayout | Scheme::OciArchive | Scheme::DockerArchive => {
                let (repository, rest) = self.on_disk(typed, scheme, rest, may_be_new, cut)?;
                (repository, rest.to_owned())
            }
        };
        // Whoever reads of it typed no name for the builder's store.
        let said =
            |error: portolan_oci::InvalidLocation| error.to_string().replace("buildkit://buildkit", "buildkit://");
        Location::parse(&format!("{repository}{rest}")).map_err(|error| Exit::failure(said(error)))
    }

    /// A file or a folder that is named, opened, and what is asked for in it.
    fn on_disk<'a>(
        &mut self,
        typed: &str,
        scheme: Scheme,
        rest: &'a str,
        may_be_new: bool,
        cut: impl FnOnce(&Self, Scheme, &'a str) -> Result<(&'a str, PathBuf, &'a str), Exit>,
    ) -> Result<(String, &'a str), Exit> {
        if rest.is_empty() {
            return Err(Exit::failure(format!("{typed:?} is no reference: it names no store")));
        }
        if may_be_new && scheme == Scheme::DockerArchive {
            let detail = "docker archives are read, and not written";
            return Err(Exit::from(Error::new(Code::Unsupported, "write to", typed, detail)).hint(
                "write an oci-archive://FILE, and `skopeo copy oci-archive:FILE docker-archive:OTHER` makes one of it",
            ));
        }
        match after_standard_input(scheme, rest) {
            Some(_) if may_be_new => Err(Exit::failure(format!(
                "cannot write {typed}: an archive is written to a file, not to standard output"
            ))
            .hint(format!("{scheme}://./- is a file of that name"))),
            Some(rest) => Ok((self.receive(scheme)?, rest)),
            None => {
                let (name, path, rest) = cut(self, scheme, rest)?;
                Ok((self.open(scheme, name, &path, may_be_new)?, rest))
            }
        }
    }

    /// Opens a file or a folder, and says what guests call it.
    fn open(&mut self, scheme: Scheme, name: &str, path: &Path, may_be_new: bool) -> Result<String, Exit> {
        bind(&mut self.opened, scheme, name, |repository| {
            Ok(match (scheme, may_be_new) {
                (Scheme::OciArchive, false) => Arc::new(Archive::open(path, repository)?),
                (Scheme::OciArchive, true) => Arc::new(Archive::create(path, repository)?),
                (Scheme::DockerArchive, _) => Arc::new(DockerArchive::open(path, repository)?),
                (_, false) => Arc::new(Layout::open(path, repository)?),
                (_, true) => Arc::new(Layout::create(path, repository)?),
            })
        })
    }

    /// Opens what `--store` named, as a frontend may ask for it by itself: a folder as a layout, a file as an archive,
    /// docker's own where it is no image layout.
    pub fn open_named(&mut self) -> Result<(), Exit> {
        for (name, path) in self.named.clone() {
            let bound = encode_store(&name);
            if self.opened.values().any(|(opened, _)| *opened == bound) {
                continue;
            }
            if path.is_dir() {
                self.open(Scheme::OciLayout, &name, &path, false)?;
            } else if let Err(no_layout) = self.open(Scheme::OciArchive, &name, &path, false) {
                // What is wrong with it is said of the better known of the two.
                self.open(Scheme::DockerArchive, &name, &path, false).map_err(|_| no_layout)?;
            }
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

/// Opens a store once, and says what guests call it. What reads from it and what writes to it are one object.
fn bind(
    opened: &mut BTreeMap<String, (String, Arc<dyn Source>)>,
    scheme: Scheme,
    name: &str,
    open: impl FnOnce(&str) -> Result<Arc<dyn Source>, Exit>,
) -> Result<String, Exit> {
    let bound = encode_store(name);
    let repository = format!("{scheme}://{bound}");
    if !opened.contains_key(&repository) {
        let source = open(&repository)?;
        opened.insert(repository.clone(), (bound, source));
    }
    Ok(repository)
}

/// What is asked for of an archive on standard input, if that is what is meant: `-`, whatever files there are.
fn after_standard_input(scheme: Scheme, text: &str) -> Option<&str> {
    let rest = text.strip_prefix(STANDARD_INPUT).filter(|_| is_archive(scheme))?;
    (rest.is_empty() || rest.starts_with(['/', ':', '@'])).then_some(rest)
}

/// What a store that is not there would be called, and the rest: all up to the last `:TAG` or `@DIGEST`.
fn new_store(scheme: Scheme, text: &str) -> Result<(&str, &str), Exit> {
    let fail = |why: String| Exit::failure(format!("\"{scheme}://{text}\" is no reference: {why}"));
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let after = |from: usize, mark: char| text.get(from..).and_then(|rest| rest.find(mark)).map(|at| from + at);
    // What follows an `@` and has a colon is meant for a digest; where it is none, the reference says so.
    let digest = text.rfind('@').filter(|at| *at >= last && after(*at, ':').is_some());
    let end = digest.unwrap_or(text.len());
    let place = text.get(..end).unwrap_or(text);
    let colon = place.rfind(':').filter(|at| *at >= last);
    let tag = colon.and_then(|at| place.get(at + 1..));
    let cut = match (colon, tag) {
        (Some(at), Some(tag)) if is_tag(tag) => at,
        // `C:\images` is a folder of that name.
        (_, Some(path)) if path.starts_with('\\') => end,
        (_, Some(tag)) => return Err(fail(format!("{tag:?} is no tag, and there is no such store"))),
        _ => end,
    };
    match text.split_at(cut) {
        ("", _) => Err(fail("it names no store".into())),
        cut => Ok(cut),
    }
}

fn is_archive(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::OciArchive | Scheme::DockerArchive)
}

/// Whether a store of this kind lies there.
fn is_store(scheme: Scheme, path: &Path) -> bool {
    match scheme {
        Scheme::OciLayout => Layout::is_at(path),
        Scheme::OciArchive | Scheme::DockerArchive => path.metadata().is_ok_and(|metadata| !metadata.is_dir()),
        Scheme::Buildkit | Scheme::Containerd => false,
    }
}

fn is_barred(path: &Path) -> bool {
    let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    path.is_dir() && path.join("index.json").metadata().is_err_and(denied)
}

fn nothing_there(scheme: Scheme, text: &str) -> Exit {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let end = text.get(last..).and_then(|name| name.find([':', '@'])).map_or(text.len(), |at| last + at);
    let path = text.get(..end).unwrap_or(text);
    if scheme == Scheme::OciLayout && is_barred(Path::new(path)) {
        return Exit::from(Error::new(Code::Forbidden, "open the layout", path, "no permission to read it"));
    }
    let (operation, detail) = match scheme {
        Scheme::OciLayout if Path::new(path).is_dir() => ("open the layout", "the folder has no index.json"),
        Scheme::OciLayout if Path::new(path).exists() => ("open the layout", "it is a file, not a folder"),
        Scheme::OciLayout => ("open the layout", "there is no such folder"),
        _ if Path::new(path).is_dir() => ("open the archive", "it is a folder"),
        _ => ("open the archive", "there is no such file"),
    };
    let exit = Exit::from(Error::new(Code::NotFound, operation, path, detail));
    match scheme {
        Scheme::OciLayout if is_store(Scheme::OciArchive, Path::new(path)) => {
            exit.hint(format!("an archive is written oci-archive://{path}"))
        }
        Scheme::OciArchive | Scheme::DockerArchive if is_store(Scheme::OciLayout, Path::new(path)) => {
            exit.hint(format!("a layout is written oci-layout://{path}"))
        }
        Scheme::OciLayout => exit.hint(
            "BuildKit writes a layout with --output type=oci,tar=false,dest=DIR; `--store NAME=DIR` gives one a name",
        ),
        Scheme::DockerArchive => exit.hint("`docker save -o FILE IMAGE` writes one"),
        _ => exit.hint("BuildKit writes an archive with --output type=oci,dest=FILE"),
    }
}

/// A word of the command line as text.
pub fn utf8(word: &OsString) -> Result<&str, Exit> {
    word.to_str().ok_or_else(|| Exit::usage(format!("{word:?} is not UTF-8")))
}

/// Whoever forgets the scheme of an archive would read from Docker Hub, or write there.
fn is_like_a_file(typed: &str) -> bool {
    !typed.contains('/') && [".tar", ".tar.gz", ".tgz", ".tar.zst"].iter().any(|suffix| typed.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores(options: &[&str]) -> Stores {
        Stores::new(options.iter().copied(), Builder::usual()).unwrap()
    }

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
            let location = stores(&[]).locate(&format!("oci-layout://{root}/{typed}")).unwrap();
            let expected = format!("oci-layout://{}{rest}", encode_store(format!("{root}/{store}")));
            assert_eq!(location.to_string(), expected, "{typed}");
            assert_eq!(location.shown(), format!("oci-layout://{root}/{store}{rest}"), "{typed}");
        }
    }

    #[test]
    fn what_is_written_to_need_not_be_there() {
        let folder = folder();
        let root = folder.path().to_str().unwrap();
        let digest = format!("@sha256:{}", "a".repeat(64));
        let with_tag = format!(":1.3{digest}");
        for scheme in [Scheme::OciLayout, Scheme::OciArchive] {
            let there = scheme == Scheme::OciLayout;
            for (typed, store, rest) in [
                ("new", "new", ""),
                ("new:1.3", "new", ":1.3"),
                ("new:1:1.3", "new:1", ":1.3"),
                ("at/@/new:3", "at/@/new", ":3"),
                ("new@home", "new@home", ""),
                ("C:\\images", "C:\\images", ""),
                ("C:\\images:2", "C:\\images", ":2"),
                (&format!("new{digest}"), "new", &digest),
                (&format!("new:1.3{digest}"), "new", &with_tag),
                // In a layout that is there it is a name.
                ("layout/new:1", if there { "layout" } else { "layout/new" }, if there { "/new:1" } else { ":1" }),
            ] {
                let location = stores(&[]).locate_target(&format!("{scheme}://{root}/{typed}")).unwrap();
                let expected = format!("{scheme}://{}{rest}", encode_store(format!("{root}/{store}")));
                assert_eq!(location.to_string(), expected, "{typed}");
                assert!(stores(&[]).locate(&format!("{scheme}://{root}/new")).is_err());
            }
            for wrong in ["none/new:1", "new:not a tag", "new@sha256:00", ":1", "new:"] {
                assert!(stores(&[]).locate_target(&format!("{scheme}://{root}/{wrong}")).is_err(), "{wrong}");
            }
        }
        assert!(std::fs::read_dir(root).unwrap().count() == 3, "nothing was made");
    }

    #[test]
    fn a_dash_is_standard_input_where_a_tar_is_meant() {
        for (scheme, text, rest) in [
            (Scheme::OciArchive, "-", Some("")),
            (Scheme::OciArchive, "-:1", Some(":1")),
            (Scheme::DockerArchive, "-/acme/app:1", Some("/acme/app:1")),
            (Scheme::DockerArchive, "-@sha256:0", Some("@sha256:0")),
            (Scheme::OciArchive, "-x", None),
            (Scheme::OciArchive, "./-", None),
            (Scheme::OciLayout, "-", None),
        ] {
            assert_eq!(after_standard_input(scheme, text), rest, "{scheme}://{text}");
        }
        for target in ["oci-archive://-:1", "docker-archive://-:1", "docker-archive://new.tar:1"] {
            assert!(stores(&[]).locate_target(target).is_err(), "{target}");
        }
    }

    #[test]
    fn what_is_read_and_written_is_one_store() {
        let folder = folder();
        let layout = format!("oci-layout://{}/layout", folder.path().display());
        let mut stores = stores(&[]);
        let source = stores.locate(&format!("{layout}:8")).unwrap();
        let target = stores.locate_target(&format!("{layout}:9")).unwrap();
        assert_eq!(source.repository(), target.repository());
        assert_eq!(stores.into_opened().count(), 1);
        // A target by its name, which is not there, and not opened again for its name.
        let option = format!("out={}/new", folder.path().display());
        let mut stores = Stores::new([option.as_str()].into_iter(), Builder::usual()).unwrap();
        stores.locate_target("oci-layout://out:app").unwrap();
        stores.open_named().unwrap();
        assert_eq!(stores.into_opened().count(), 1);
        assert!(Stores::new([option.as_str()].into_iter(), Builder::usual()).unwrap().open_named().is_err());
        assert!(
            Stores::new([option.as_str()].into_iter(), Builder::usual())
                .unwrap()
                .locate("oci-layout://out:app")
                .is_err()
        );
    }

    #[test]
    fn a_name_is_bound_by_option() {
        let folder = folder();
        let option = format!("out={}/layout", folder.path().display());
        let mut stores = Stores::new([option.as_str()].into_iter(), Builder::usual()).unwrap();
        assert_eq!(stores.locate("oci-layout://out:app").unwrap().to_string(), "oci-layout://out:app");
        for wrong in ["out", "=x", "out=", "a/b=x"] {
            assert!(Stores::new([wrong].into_iter(), Builder::usual()).is_err(), "{wrong}");
        }
        assert!(Stores::new(["a=b", "a=c"].into_iter(), Builder::usual()).is_err());
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = folder();
        let root = folder.path().to_str().unwrap();
        for typed in [
            format!("oci-layout://{root}/nope:1"),
            format!("oci-archive://{root}/nope.tar"),
            format!("oci-archive://{root}/layout"),
            format!("docker-archive://{root}/nope.tar"),
        ] {
            assert!(stores(&[]).locate(&typed).is_err(), "{typed}");
        }
    }
}
