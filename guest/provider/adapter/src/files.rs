//! Files and folders that the runtime opened, and stdin.

/// The names on the way to a path; where one starts is `/`, as for every program in WASI.
pub fn steps(path: &str) -> Vec<&str> {
    path.split('/').filter(|step| !matches!(*step, "" | ".")).collect()
}

/// Which of `folders` is the innermost one that the path leads through.
pub fn nearest(path: &[&str], folders: &[Vec<&str>]) -> Option<usize> {
    let through =
        folders.iter().enumerate().filter(|(_, folder)| path.len() > folder.len() && path.starts_with(folder));
    through.max_by_key(|(_, folder)| folder.len()).map(|(at, _)| at)
}

#[cfg(target_family = "wasm")]
pub(crate) mod wasi {
    //! What asks the runtime.

    use wasip2::cli::stdin::get_stdin;
    use wasip2::filesystem::preopens::get_directories;
    use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
    use wasip2::io::streams::StreamError;

    use super::{nearest, steps};
    use crate::exit::Exit;

    /// A file whose content goes to a frontend: no larger than `portolan` takes.
    const FILE_MAX: u64 = 8 << 20;
    /// What is read at a time.
    const PIECE: u64 = 1 << 20;

    /// What stores may be called.
    pub(crate) fn folders() -> Vec<String> {
        get_directories()
            .into_iter()
            .map(|(_, path)| path.trim_start_matches("./").trim_matches('/').to_owned())
            .collect()
    }

    /// A file's text, or what stdin holds.
    pub(crate) fn content(path: &str) -> Result<String, Exit> {
        let fail = |why: &str| Exit::failure(format!("cannot read the file {path}: {why}"));
        let bytes = match path {
            "-" => stdin().map_err(|why| fail(&why))?,
            _ => file(path).map_err(|why| fail(&why))?,
        };
        if bytes.len() as u64 > FILE_MAX {
            return Err(fail("it is larger than 8 MiB, the most that a frontend takes"));
        }
        String::from_utf8(bytes).map_err(|_| fail("it is no UTF-8 text"))
    }

    fn stdin() -> Result<Vec<u8>, String> {
        let stdin = get_stdin();
        let mut all = Vec::new();
        while all.len() as u64 <= FILE_MAX {
            match stdin.blocking_read(PIECE) {
                Ok(mut piece) => all.append(&mut piece),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
            }
        }
        Ok(all)
    }

    fn file(path: &str) -> Result<Vec<u8>, String> {
        let said = |error: ErrorCode| error.name().replace('-', " ");
        let folders = get_directories();
        let names: Vec<Vec<&str>> = folders.iter().map(|(_, name)| steps(name)).collect();
        let wanted = steps(path);
        let Some(at) = nearest(&wanted, &names) else {
            return Err("it is in no folder that was opened: `wasmtime run --dir .` opens this one".into());
        };
        let (Some((folder, _)), Some(name)) = (folders.get(at), names.get(at)) else { return Ok(Vec::new()) };
        let inside = wanted.get(name.len()..).unwrap_or_default().join("/");
        let opened: Descriptor = folder
            .open_at(PathFlags::SYMLINK_FOLLOW, &inside, OpenFlags::empty(), DescriptorFlags::READ)
            .map_err(said)?;
        let mut all = Vec::new();
        while all.len() as u64 <= FILE_MAX {
            let (mut piece, end) = opened.read(PIECE, all.len() as u64).map_err(said)?;
            let nothing = piece.is_empty();
            all.append(&mut piece);
            if end || nothing {
                break;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_folder_is_asked() {
        let folders = [steps("."), steps("/data"), steps("/data/in"), steps("out")];
        for (path, expected) in [
            ("x.json", Some(0)),
            ("./x.json", Some(0)),
            ("/data/x.json", Some(1)),
            ("data/in/x.json", Some(2)),
            ("/data/inner/x.json", Some(1)),
            ("out/x.json", Some(3)),
            ("out", Some(0)),
        ] {
            assert_eq!(nearest(&steps(path), &folders), expected, "{path}");
        }
        assert_eq!(nearest(&steps("x.json"), &[steps("/data")]), None);
    }
}
