//! What this process holds of its machine. For tests and figures of what is left after much was done.

use std::fs;

/// See the module. Sizes are in kilobytes.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// All that is resident.
    pub memory: usize,
    /// Of that, what lies where nobody may touch it: a pool's places keep their pages like that for the next instance.
    pub fenced: usize,
    /// That run.
    pub threads: usize,
    /// That are open.
    pub files: usize,
}

impl Held {
    /// At this moment.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let files = fs::read_dir("/proc/self/fd").unwrap().count();
        Held { memory: field(&status, "VmRSS:"), fenced: fenced(), threads: field(&status, "Threads:"), files }
    }
}

fn field(lines: &str, name: &str) -> usize {
    let line = lines.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn fenced() -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut sum, mut inside) = (0, false);
    for line in maps.lines() {
        match line.split_once(' ') {
            // A mapping begins with where it is and what may be done there, fields follow with their names.
            Some((name, rest)) if !name.ends_with(':') => inside = rest.starts_with("---"),
            Some(("Rss:", _)) if inside => sum += field(line, "Rss:"),
            _ => {}
        }
    }
    sum
}
