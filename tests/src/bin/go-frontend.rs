//! What an author in Go needs beside Go: `go-frontend bindings FOLDER` writes the bindings of the Go module in that folder
//! anew, `go-frontend component MODULE.wasm COMPONENT.wasm` makes a component of what Go compiled.

#![allow(clippy::expect_used, reason = "a tool of the tests says what is wrong with what it was given by panicking")]

use std::fs;
use std::path::Path;

use portolan_tests::go;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bindings", folder] => go::write_bindings(Path::new(folder)),
        ["component", module, component] => {
            fs::write(component, go::component(Path::new(module))).expect("the component");
        }
        _ => {
            eprintln!("usage: go-frontend bindings FOLDER | go-frontend component MODULE.wasm COMPONENT.wasm");
            std::process::exit(2);
        }
    }
}
