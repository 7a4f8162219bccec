//! The program `hostile-registry`, and what the README says of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use portolan_hostile::scripts::{self, POINTS};

fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hostile-registry"));
    program.args(arguments).stdin(Stdio::null());
    program
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn every_script_is_listed() {
    let listed = printed(&program(&["list"]).output().unwrap());
    let names: Vec<&str> = listed.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    let scripts = scripts::all();
    assert!(names.iter().eq(scripts.iter().map(|script| &script.name)));
}

#[test]
fn a_script_is_played_until_its_input_ends() {
    let mut playing = program(&["play", "manifest-cut-once"]);
    let mut playing = playing.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(playing.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("manifest-cut-once: "));
    let registry = lines.next().unwrap();
    let host = registry.strip_prefix("registry   ").unwrap().strip_suffix(", by http").unwrap().to_owned();
    let rest: Vec<String> = lines.by_ref().take(5).collect();
    assert!(rest[1].starts_with("login      ada ") && rest[2].starts_with("ask        fetch app@sha256:"), "{rest:?}");

    let mut client = TcpStream::connect(&host).unwrap();
    write!(client, "GET /v2/app/manifests/x?a=b HTTP/1.1\r\nHost: {host}\r\nX-Y: z\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = client.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.ends_with('}'), "{answer}");
    let told: Vec<String> = lines.by_ref().take(3).collect();
    assert_eq!(told[0], "registry   GET /v2/app/manifests/x?a=b");
    assert_eq!(told[2].trim(), "x-y: z");

    drop(playing.stdin.take());
    assert!(playing.wait().unwrap().success());
}

#[test]
fn what_is_to_be_pushed_is_printed_and_what_is_no_script_refused() {
    let content = program(&["content", "location-path"]).output().unwrap();
    assert_eq!(printed(&content), "the bytes of a blob");
    for arguments in [&["play", "nothing-like-it"][..], &["content", "manifest-cut-once"], &["play"], &["x"], &[]] {
        let output = program(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_readme_counts_right() {
    let readme = include_str!("../README.md");
    let scripts = scripts::all();
    for point in POINTS {
        let count = scripts.iter().filter(|script| script.point == point.number).count();
        let count = if count == 0 { String::new() } else { count.to_string() };
        let beside: Vec<String> = point.beside.iter().map(|file| format!("`{file}`")).collect();
        let row = format!("| {} | {} | {count} | {} |", point.number, point.what, beside.join(", "));
        assert!(readme.contains(&row), "this row is missing:\n{row}");
    }
    assert!(readme.contains(&format!("{} scripts", scripts.len())), "there are {} scripts", scripts.len());
}
