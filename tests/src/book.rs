//! Pages of the book (`docs/`) as what they are: files, and commands with what they print.
//!
//! A fenced block that begins with `$ ` is a transcript: lines with `$ ` are typed into a shell, what follows is what came
//! of it, on both outputs. A block whose fence names a file (```` ```toml portolan.toml ````) is that file.
//!
//! Not here: what a page's folder has to hold. The tests know that.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What people call the folder that they work in.
const FOLDER: &str = "/src/app";
/// What they call their home.
const HOME: &str = "/home/ada";

/// The folder of the book.
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Where a page's commands are typed.
#[derive(Debug)]
pub struct Shell {
    folder: PathBuf,
    home: PathBuf,
    path: Vec<PathBuf>,
    /// What it is here, what it is in the book.
    called: Vec<(String, String)>,
    variables: Vec<(String, String)>,
}

impl Shell {
    /// A shell in a folder, with a home.
    pub fn new(folder: &Path, home: &Path) -> Self {
        let called = vec![(folder.display().to_string(), FOLDER.into()), (home.display().to_string(), HOME.into())];
        Shell { folder: folder.into(), home: home.into(), path: Vec::new(), called, variables: Vec::new() }
    }

    /// A program that may be typed by its name.
    #[must_use]
    pub fn program(mut self, program: impl AsRef<Path>) -> Self {
        self.path.extend(program.as_ref().parent().map(Path::to_owned));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// What is `here` is called otherwise in the book.
    #[must_use]
    pub fn called(mut self, here: impl Into<String>, in_the_book: &str) -> Self {
        self.called.push((here.into(), in_the_book.into()));
        self
    }

    /// What a line prints on both outputs, typed in a folder.
    fn typed(&self, folder: &Path, line: &str) -> String {
        let mut shell = Command::new("bash");
        let line = self.called.iter().fold(line.to_owned(), |line, (here, book)| line.replace(book, here));
        shell.args(["--noprofile", "--norc", "-c", &format!("exec 2>&1; {line}")]).env_clear().stdin(Stdio::null());
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = self.path.iter().cloned().chain(std::env::split_paths(&inherited));
        shell
            .env("PATH", std::env::join_paths(path).expect("a path"))
            .env("HOME", &self.home)
            .current_dir(folder)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        let said = String::from_utf8_lossy(&shell.output().expect("bash").stdout).into_owned();
        self.called.iter().fold(said, |said, (here, book)| said.replace(here, book))
    }

    /// A page with what its commands print, which is what it has where it is right; and how many commands there are.
    fn printed(&self, page: &str) -> (String, usize) {
        let (mut out, mut commands, mut folder) = (String::new(), 0, self.folder.clone());
        let mut lines = page.lines().peekable();
        while let Some(line) = lines.next() {
            writeln!(out, "{line}").unwrap();
            let Some(fence) = line.strip_prefix("```") else { continue };
            let is_transcript = fence.is_empty() && lines.peek().is_some_and(|next| next.starts_with("$ "));
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if let Some((_, file)) = fence.split_once(' ') {
                let file = self.folder.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, block.join("\n") + "\n").unwrap();
            }
            match is_transcript {
                false => block.iter().for_each(|line| writeln!(out, "{line}").unwrap()),
                true => {
                    let mut before = "true";
                    for line in block.iter().filter_map(|line| line.strip_prefix("$ ")) {
                        commands += 1;
                        writeln!(out, "$ {line}").unwrap();
                        // Each line has a shell of its own: where it is, is kept here.
                        if let Some(next) = line.strip_prefix("cd ") {
                            folder.push(next);
                            continue;
                        }
                        // Who asks for the status of the line before has it run again.
                        let typed = match line {
                            "echo $?" => format!("({before}) >/dev/null 2>&1; {line}"),
                            line => line.to_owned(),
                        };
                        for said in self.typed(&folder, &typed).lines() {
                            let kept = block.iter().find(|says| !blessing() && **says != said && same(says, said));
                            writeln!(out, "{}", kept.copied().unwrap_or(said)).unwrap();
                        }
                        before = line;
                    }
                }
            }
            out.push_str("```\n");
        }
        (out, commands)
    }

    /// Runs all commands of a page and compares what they print; `BLESS=1` writes it down. How many there were.
    ///
    /// # Panics
    /// Where something else is printed.
    pub fn check(&self, name: &str) -> usize {
        let file = docs().join(name);
        let page = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (printed, commands) = self.printed(&page);
        if blessing() {
            fs::write(&file, &printed).unwrap();
            return commands;
        }
        for (number, (is, says)) in printed.lines().zip(page.lines()).enumerate() {
            assert_eq!(is, says, "docs/{name}:{}", number + 1);
        }
        assert_eq!(printed.lines().count(), page.lines().count(), "docs/{name}");
        commands
    }
}

/// Whether what is printed is to be written down.
fn blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// Whether two lines differ in nothing but what depends on where a component was built: its size, its digest.
fn same(one: &str, other: &str) -> bool {
    let size = |line: &str| {
        let (before, after) = [" KiB", " kB"].iter().find_map(|unit| line.split_once(unit))?;
        let (start, number) = before.rsplit_once(' ')?;
        number.parse::<u32>().is_ok().then(|| format!("{start} {after}"))
    };
    let digest = |line: &str| line.starts_with("digest   sha256:");
    matches!((size(one), size(other)), (Some(one), Some(other)) if one == other) || digest(one) && digest(other)
}
