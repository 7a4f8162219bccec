//! `portolan.lock`: which component a name in a registry meant when it was first run. Names move, and what runs should not
//! move with them unseen.
//!
//! Changes of programs side by side are all kept, and a file that is not understood is not written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use portolan_oci::{Digest, Location};
use toml::de::{DeTable, DeValue};

use super::who::plain;
use super::{Policy, PolicyError, place};

const NAME: &str = "portolan.lock";
const TABLE: &str = "frontends";
const HEAD: &str = "# Which component each name meant when it was first run. `portolan run --update NAME` moves one.\n";
/// Many thousands of names.
const MOST: u64 = 4 << 20;

type Pins = BTreeMap<String, Digest>;

/// The file.
#[derive(Debug, Clone)]
pub struct Lock(PathBuf);

impl Lock {
    /// The one in this folder.
    pub fn in_folder(folder: &Path) -> Lock {
        Lock(folder.join(NAME))
    }

    /// The one that counts where this policy does: beside its file, and without one in the user's configuration.
    ///
    /// # Errors
    /// [`PolicyError::NoPlace`].
    pub fn of(policy: &Policy) -> Result<Lock, PolicyError> {
        match policy.file().and_then(Path::parent) {
            Some(folder) => Ok(Lock::in_folder(folder)),
            None => place::configuration().map(|folder| Lock::in_folder(&folder)).ok_or(PolicyError::NoPlace),
        }
    }

    /// Whether the name is pinned to this digest; false where it is not pinned yet.
    ///
    /// # Errors
    /// [`PolicyError::Moved`]; a file that cannot be read, or is none of ours.
    pub fn check(&self, name: &str, digest: &Digest) -> Result<bool, PolicyError> {
        let name = &*plain(name);
        let text = match File::open(&self.0) {
            Ok(file) => self.text(&file)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed("read", error)),
        };
        self.same(&self.read(&text)?, name, digest)
    }

    fn same(&self, pins: &Pins, name: &str, digest: &Digest) -> Result<bool, PolicyError> {
        match pins.get(name) {
            None => Ok(false),
            Some(pinned) if pinned == digest => Ok(true),
            Some(pinned) => Err(PolicyError::Moved {
                name: name.to_owned(),
                was: pinned.to_string(),
                is: digest.to_string(),
                file: self.0.display().to_string(),
            }),
        }
    }

    /// Pins a name; `update` says whatever it was pinned to, perhaps by another program just now.
    ///
    /// # Errors
    /// As [`check`](Self::check); a file that cannot be written.
    pub fn pin(&self, name: &str, digest: &Digest, update: bool) -> Result<(), PolicyError> {
        let name = &*plain(name);
        let write = |error| PolicyError::NotPinned { file: self.0.display().to_string(), error };
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(write)?;
        let held = self.held().map_err(write)?;
        let mut pins = self.read(&self.text(&held)?)?;
        if !update && self.same(&pins, name, digest)? {
            return Ok(());
        }
        pins.insert(name.to_owned(), digest.clone());
        let mut text = format!("{HEAD}\n[{TABLE}]\n");
        for (name, digest) in &pins {
            // Neither a reference nor a digest has a character that TOML escapes.
            text.push_str(&format!("\"{name}\" = \"{digest}\"\n"));
        }
        let written = || {
            let mut new = tempfile::Builder::new().prefix(".portolan.lock").tempfile_in(folder)?;
            new.as_file().set_permissions(held.metadata()?.permissions())?;
            new.write_all(text.as_bytes())?;
            new.as_file().sync_all()?;
            new.persist(&self.0).map(drop).map_err(|failed| failed.error)
        };
        written().map_err(write)
    }

    /// The file, made if there is none, as long as nobody else changes it.
    fn held(&self) -> std::io::Result<File> {
        loop {
            let file = File::options().read(true).append(true).create(true).open(&self.0)?;
            file.lock()?;
            let (held, named) = (file.metadata()?, fs::metadata(&self.0)?);
            // Whoever had it before us has put another in its place.
            if (held.dev(), held.ino()) == (named.dev(), named.ino()) {
                return Ok(file);
            }
        }
    }

    fn text(&self, file: &File) -> Result<String, PolicyError> {
        let mut text = String::new();
        file.take(MOST + 1).read_to_string(&mut text).map_err(|error| self.failed("read", error))?;
        match text.len() as u64 <= MOST {
            true => Ok(text),
            false => Err(self.wrong(format!("it is larger than {MOST} bytes"))),
        }
    }

    fn read(&self, text: &str) -> Result<Pins, PolicyError> {
        let table = DeTable::parse(text).map_err(|error| self.wrong(error.message().to_owned()))?.into_inner();
        let mut pins = Pins::new();
        for (key, value) in &table {
            let (TABLE, DeValue::Table(frontends)) = (&**key.get_ref(), value.get_ref()) else {
                return Err(self.wrong(format!("it has a {:?}, where there is nothing but [{TABLE}]", key.get_ref())));
            };
            for (name, digest) in frontends {
                let digest = match digest.get_ref() {
                    DeValue::String(text) => Digest::parse(text).ok(),
                    _ => None,
                };
                let name = name.get_ref().to_string();
                if !matches!(Location::parse(&name), Ok(Location::Registry(_))) {
                    return Err(self.wrong(format!("{name:?} is no name of a frontend")));
                }
                let digest = digest.ok_or_else(|| self.wrong(format!("{name:?} is pinned to no digest")))?;
                pins.insert(name, digest);
            }
        }
        Ok(pins)
    }

    fn failed(&self, what: &'static str, error: std::io::Error) -> PolicyError {
        PolicyError::Io { what, file: self.0.display().to_string(), error }
    }

    /// What is not understood pins nothing, so nothing is run.
    fn wrong(&self, why: String) -> PolicyError {
        PolicyError::Wrong(format!(
            "{} is no lock of frontends: {why}; put it back as it was, or remove it, and every name is pinned anew",
            self.0.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn digest(bytes: &[u8]) -> Digest {
        Digest::sha256(bytes)
    }

    #[test]
    fn a_name_is_what_it_was_until_it_is_moved() {
        let folder = tempfile::tempdir().unwrap();
        let pins = Lock::in_folder(&folder.path().join("a/b"));
        let (name, other) = ("r.example/f:1", "r.example:5000/f:1");
        assert!(!pins.check(name, &digest(b"1")).unwrap());
        pins.pin(name, &digest(b"1"), true).unwrap();
        pins.pin(other, &digest(b"2"), true).unwrap();
        assert!(pins.check(name, &digest(b"1")).unwrap());
        assert!(pins.check(name, &digest(b"2")).is_err());
        assert!(!pins.check("r.example/f:2", &digest(b"2")).unwrap());
        // Another program was quicker.
        assert!(pins.pin(name, &digest(b"2"), false).is_err());
        pins.pin(name, &digest(b"1"), false).unwrap();
        pins.pin(name, &digest(b"2"), true).unwrap();
        assert!(pins.check(name, &digest(b"2")).unwrap());
        let text = fs::read_to_string(&pins.0).unwrap();
        let lines: Vec<String> =
            [other, name].iter().map(|name| format!("\"{name}\" = \"{}\"", digest(b"2"))).collect();
        let mut sorted = lines.clone();
        sorted.sort();
        assert_eq!(text, format!("{HEAD}\n[frontends]\n{}\n", sorted.join("\n")));
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn programs_side_by_side_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        std::thread::scope(|scope| {
            for number in 0..16 {
                let path = path.clone();
                scope.spawn(move || Lock(path).pin(&format!("r.example/f:{number}"), &digest(b"1"), false).unwrap());
            }
        });
        let pins = Lock(path);
        assert!((0..16).all(|number| pins.check(&format!("r.example/f:{number}"), &digest(b"1")).unwrap()));
    }

    #[test]
    fn what_is_not_understood_pins_nothing_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pins = Lock::in_folder(folder.path());
        for text in [
            "rubbish",
            "[frontends",
            "[frontend]\n",
            "[frontends]\n\"r.example/f:1\" = 1\n",
            "[frontends]\n\"r.example/f:1\" = \"sha256:../..\"\n",
            "frontends = 1\n",
            "[frontends]\n\"r.example/f:1\\\" = 1\" = \"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"\n",
            "[frontends]\n\"oci-layout://x\" = \"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"\n",
            &format!("#{}", " ".repeat(4 << 20)),
            "\u{feff}\u{0}",
        ] {
            fs::write(&pins.0, text).unwrap();
            assert!(pins.check("r.example/f:1", &digest(b"1")).is_err(), "{text:.100}");
            assert!(pins.pin("r.example/f:1", &digest(b"1"), true).is_err(), "{text:.100}");
            assert_eq!(fs::read_to_string(&pins.0).unwrap(), text);
        }
        fs::write(&pins.0, [0xff, 0xfe]).unwrap();
        assert!(pins.check("r.example/f:1", &digest(b"1")).is_err());
        fs::write(&pins.0, "").unwrap();
        assert!(!pins.check("r.example/f:1", &digest(b"1")).unwrap());
        // What cannot be looked for is not missing.
        assert!(Lock::in_folder(&pins.0).check("r.example/f:1", &digest(b"1")).is_err());
        // Whoever may read it may do so when it was written anew.
        let mode = |mode| fs::set_permissions(&pins.0, fs::Permissions::from_mode(mode)).unwrap();
        for wanted in [0o600, 0o664] {
            mode(wanted);
            pins.pin("r.example/f:1", &digest(b"1"), true).unwrap();
            assert_eq!(fs::metadata(&pins.0).unwrap().mode() & 0o777, wanted);
        }
    }
}
