//! How cost grows, as SVG: a solve with the entries of its index, memory with the runs in flight, a copy with its layers.
//!
//! `portolan-plots PORTOLAN FOLDER` measures, prints what it measured, and draws it into the folder. Where crane is on the
//! PATH it copies beside ours.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

mod copy;
mod draw;
#[path = "../../bench/made.rs"]
mod made;
mod memory;
mod solve;

use std::path::{Path, PathBuf};
use std::time::Instant;

use draw::{Curve, Plot};

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [portolan, folder] = &*arguments else {
        eprintln!("usage: portolan-plots PORTOLAN FOLDER");
        std::process::exit(2);
    };
    std::fs::create_dir_all(folder).unwrap();
    // First, as what others gave back stays with the process.
    Plot {
        title: "Memory, with the runs in flight",
        x: "runs in flight",
        y: "MiB that the process holds",
        curves: memory::curves(&[1, 3, 10, 30, 100, 300, 1_000]),
    }
    .show(&folder.join("memory.svg"));
    Plot {
        title: "A warm solve, with the entries of the index",
        x: "entries",
        y: "milliseconds",
        curves: solve::curves(&[10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000]),
    }
    .show(&folder.join("solve.svg"));
    Plot {
        title: "A copy from a registry to a layout, with the layers (16 KiB each)",
        x: "layers",
        y: "milliseconds, whole process",
        curves: copy::curves(portolan, &[1, 3, 10, 30, 100, 300, 1_000]),
    }
    .show(&folder.join("copy.svg"));
}

/// Milliseconds, the median of so many times after one that does not count.
fn median(times: usize, mut what: impl FnMut()) -> f64 {
    what();
    let mut taken: Vec<f64> = (0..times)
        .map(|_| {
            let started = Instant::now();
            what();
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    taken[taken.len() / 2]
}

impl Plot {
    /// Prints the numbers, and draws them.
    fn show(&self, file: &Path) {
        println!("==> {}", self.title);
        for Curve { name, points } in &self.curves {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x}: {y:.3}")).collect();
            println!("{name}, {}: {}", self.y, points.join(", "));
        }
        self.draw(file);
    }
}
