//! `hostile-registry`: the catalogue on the command line, for any client.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use portolan_hostile::scripts::{self, PASSWORD, USER};
use portolan_hostile::{Hostile, Request, Script};

const USAGE: &str = "hostile-registry list          point, name and plot of every script
hostile-registry play NAME     plays one until standard input ends, and prints every request
hostile-registry content NAME  prints the bytes that a script of a push wants pushed
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["list"] => list(),
        ["play", name] => named(name).and_then(|script| play(&script)),
        ["content", name] => named(name).and_then(|script| content(&script)),
        ["help" | "-h" | "--help"] => out(USAGE.as_bytes()),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprint!("{message}");
            ExitCode::from(2)
        }
    }
}

fn out(bytes: &[u8]) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| format!("{error}\n"))
}

fn named(name: &str) -> Result<Script, String> {
    let script = scripts::all().into_iter().find(|script| script.name == name);
    script.ok_or_else(|| format!("no script is called {name:?}; `hostile-registry list` shows all\n"))
}

fn list() -> Result<(), String> {
    let line = |script: &Script| format!("{:>2}  {:<52}  {}\n", script.point, script.name, script.what);
    out(scripts::all().iter().map(line).collect::<String>().as_bytes())
}

fn content(script: &Script) -> Result<(), String> {
    match script.ask.content() {
        Some(bytes) => out(bytes),
        None => Err(format!("{} pushes nothing\n", script.name)),
    }
}

fn play(script: &Script) -> Result<(), String> {
    let (registry, elsewhere) = Hostile::pair(script.registry.clone(), script.elsewhere.clone());
    let Script { name, what, ask, must, conduct, .. } = script;
    let (at, other) = (registry.host(), elsewhere.host());
    let lines = [
        format!("{name}: {what}"),
        format!("registry   {at}, by http"),
        format!("elsewhere  {other}"),
        format!("login      {USER} {PASSWORD}"),
        format!("ask        {ask}"),
        format!("must       {must}"),
        format!("conduct    {conduct}\n"),
    ];
    out(lines.join("\n").as_bytes())?;
    let ended = AtomicBool::new(false);
    scope(|threads| {
        threads.spawn(|| {
            let mut told = [0, 0];
            while !ended.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(20));
                tell("registry ", &registry.requests(), &mut told[0]);
                tell("elsewhere", &elsewhere.requests(), &mut told[1]);
            }
        });
        // Whoever ends the play closes the input, or the program.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        ended.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Prints the requests that were not told yet.
fn tell(who: &str, requests: &[Request], told: &mut usize) {
    for Request { method, path, query, headers, length, .. } in &requests[*told..] {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let mut text = format!("{who}  {method} {path}{query}\n");
        headers.iter().for_each(|(name, value)| text.push_str(&format!("             {name}: {value}\n")));
        if *length > 0 {
            text.push_str(&format!("             {length} bytes\n"));
        }
        let _ = out(text.as_bytes());
    }
    *told = requests.len();
}
