//! Programs that tests run and that are no part of any distribution: `tests/install-*.sh` build them, once, into the folder
//! `tools` beside the compile cache.

use std::path::{Path, PathBuf};

/// Where a program is: in that folder of the compile cache that this test was built in, else on the `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    let built = this.ancestors().nth(4).map(|folder| folder.join("tools/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = built.into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|program| Path::is_file(program))
}
