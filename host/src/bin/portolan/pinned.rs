//! `portolan.lock`: which component a name in a registry meant when it was first run. Names move, and what runs should not
//! move with them unseen.
//!
//! It is the one in the folder that the program is started in, where there is one, else the user's. Changes of programs
//! side by side are all kept, and a file that is not understood is not written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use portolan_oci::{Digest, Location};
use toml::de::{DeTable, DeValue};

use crate::exit::Exit;

const NAME: &str = "portolan.lock";
const TABLE: &str = "frontends";
const HEAD: &str = "# Which component each name meant when it was first run. `portolan run --update NAME` moves one.\n";
/// Many thousands of names.
const MOST: u64 = 4 << 20;

/// The file.
#[derive(Debug)]
pub struct Pins(PathBuf);

impl Pins {
    /// The file that counts here.
    pub fn nearest() -> Result<Pins, Exit> {
        if Path::new(NAME).exists() {
            return Ok(Pins(NAME.into()));
        }
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
        match config {
            Some(config) => Ok(Pins(config.join("portolan").join(NAME))),
            None => Err(Exit::failure("there is no place to remember what a frontend's name means: HOME is not set")
                .hint(format!("make an empty {NAME} here, or name the frontend by its digest"))),
        }
    }

    /// Whether the name is pinned to this digest; false where it is not pinned yet.
    pub fn check(&self, name: &str, digest: &Digest) -> Result<bool, Exit> {
        let text = match File::open(&self.0) {
            Ok(file) => self.text(&file)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed("read", &error)),
        };
        self.same(&self.read(&text)?, name, digest)
    }

    fn same(&self, pins: &BTreeMap<String, Digest>, name: &str, digest: &Digest) -> Result<bool, Exit> {
        match pins.get(name) {
            None => Ok(false),
            Some(pinned) if pinned == digest => Ok(true),
            Some(pinned) => Err(Exit::failure(format!(
                "{name} was {pinned} when it was first run here, and is {digest} now ({})",
                self.0.display()
            ))
            .hint("find out why it moved; --update takes the new one")),
        }
    }

    /// Pins a name; `update` says whatever it was pinned to, perhaps by another program just now.
    pub fn pin(&self, name: &str, digest: &Digest, update: bool) -> Result<(), Exit> {
        let write = |error: &std::io::Error| {
            self.failed("write", error).hint("name the frontend by its digest, which needs no lock")
        };
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| write(&error))?;
        let held = self.held().map_err(|error| write(&error))?;
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
        written().map_err(|error| write(&error))
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

    fn text(&self, file: &File) -> Result<String, Exit> {
        let mut text = String::new();
        file.take(MOST + 1).read_to_string(&mut text).map_err(|error| self.failed("read", &error))?;
        match text.len() as u64 <= MOST {
            true => Ok(text),
            false => Err(self.wrong(format!("it is larger than {MOST} bytes"))),
        }
    }

    fn read(&self, text: &str) -> Result<BTreeMap<String, Digest>, Exit> {
        let table = DeTable::parse(text).map_err(|error| self.wrong(error.message().to_owned()))?.into_inner();
        let mut pins = BTreeMap::new();
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

    fn failed(&self, what: &str, error: &std::io::Error) -> Exit {
        Exit::failure(format!("cannot {what} {}: {error}", self.0.display()))
    }

    /// What is not understood pins nothing, so nothing is run.
    fn wrong(&self, why: String) -> Exit {
        Exit::failure(format!("{} is no lock of frontends: {why}", self.0.display()))
            .hint("put it back as it was, or remove it; then every name is pinned anew")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> Digest {
        Digest::sha256(bytes)
    }

    #[test]
    fn a_name_is_what_it_was_until_it_is_moved() {
        let folder = tempfile::tempdir().unwrap();
        let pins = Pins(folder.path().join("a/b").join(NAME));
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
                scope.spawn(move || Pins(path).pin(&format!("r.example/f:{number}"), &digest(b"1"), false).unwrap());
            }
        });
        let pins = Pins(path);
        assert!((0..16).all(|number| pins.check(&format!("r.example/f:{number}"), &digest(b"1")).unwrap()));
    }

    #[test]
    fn what_is_not_understood_pins_nothing_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pins = Pins(folder.path().join(NAME));
        for text in [
            "rubbish",
            "[frontends",
            "[frontend]\n",
            "[frontends]\n\"r.example/f:1\" = 1\n",
            "[frontends]\n\"r.example/f:1\" = \"sha256:../..\"\n",
            "frontends = 1\n",
            "[frontends]\n\"r.example/f:1\\\" = 1\" = \"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"\n",
            "\u{feff}\u{0}",
        ] {
            fs::write(&pins.0, text).unwrap();
            assert!(pins.check("r.example/f:1", &digest(b"1")).is_err(), "{text:?}");
            assert!(pins.pin("r.example/f:1", &digest(b"1"), true).is_err(), "{text:?}");
            assert_eq!(fs::read_to_string(&pins.0).unwrap(), text);
        }
        fs::write(&pins.0, [0xff, 0xfe]).unwrap();
        assert!(pins.check("r.example/f:1", &digest(b"1")).is_err());
        fs::write(&pins.0, "").unwrap();
        assert!(!pins.check("r.example/f:1", &digest(b"1")).unwrap());
    }
}
