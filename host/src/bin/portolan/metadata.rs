//! `--metadata-file`: what an answer says beside its body, as one JSON object. All of it is there or nothing.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use crate::exit::Exit;

/// A file that will be written when there is an answer.
pub struct MetadataFile {
    path: PathBuf,
    /// Beside the file, so that it can take its place; a pipe or a device is written as it is.
    staged: Option<NamedTempFile>,
}

impl MetadataFile {
    /// Makes sure that it can be written, before anything is done that it would have to tell.
    pub fn prepare(path: &Path) -> Result<Self, Exit> {
        let fail = |error: std::io::Error| {
            Exit::failure(format!("cannot write the metadata file {}: {error}", path.display()))
        };
        if path.is_dir() {
            return Err(Exit::failure(format!("cannot write the metadata file {}: it is a folder", path.display())));
        }
        let plain = path.metadata().map_or(true, |metadata| metadata.is_file());
        if !plain {
            File::options().write(true).open(path).map_err(fail)?;
            return Ok(MetadataFile { path: path.into(), staged: None });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        let staged = tempfile::Builder::new().prefix(".metadata").permissions(permissions).tempfile_in(folder);
        Ok(MetadataFile { path: path.into(), staged: Some(staged.map_err(fail)?) })
    }

    /// Writes what an answer told.
    pub fn write(self, metadata: &[(String, String)]) -> Result<(), Exit> {
        let MetadataFile { path, staged } = self;
        let text = object(metadata);
        let written = match staged {
            Some(mut file) => file
                .write_all(text.as_bytes())
                .and_then(|()| file.persist(&path).map(drop).map_err(|failed| failed.error)),
            None => File::options().write(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes())),
        };
        written.map_err(|error| {
            Exit::failure(format!("cannot write the metadata file {}: {error}", path.display()))
                .hint("the command itself was done; only what it would have told is lost")
        })
    }
}

/// One object, two spaces a level; a value that is an object itself goes in as one.
fn object(metadata: &[(String, String)]) -> String {
    let value = |text: &String| match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => object,
        _ => Value::String(text.clone()),
    };
    let object: Map<String, Value> = metadata.iter().map(|(name, text)| (name.clone(), value(text))).collect();
    format!("{:#}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_go_in_as_objects() {
        let metadata = [
            ("image.name", "docker.io/acme/app"),
            ("containerimage.descriptor", r#"{"size":2,"digest":"sha256:00"}"#),
            ("number", "7"),
            ("list", "[1]"),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let read: Value = serde_json::from_str(&object(&metadata)).unwrap();
        assert_eq!(read["containerimage.descriptor"]["size"], 2);
        assert_eq!((read["number"].as_str(), read["list"].as_str()), (Some("7"), Some("[1]")));
        assert_eq!(object(&[]), "{}\n");
        assert!(object(&metadata).starts_with("{\n  \""));
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata.json");
        std::fs::write(&path, "old").unwrap();
        let file = MetadataFile::prepare(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a command that failed leaves nothing behind");
        MetadataFile::prepare(&path).unwrap().write(&[("a".into(), "b".into())]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\n  \"a\": \"b\"\n}\n");
        assert!(MetadataFile::prepare(folder.path()).is_err(), "a folder");
        assert!(MetadataFile::prepare(&folder.path().join("none/metadata.json")).is_err(), "no folder");
    }
}
