//! `serve`: the gateway, from words to a server, and signals while it serves.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use portolan::policy::{Policy, Who};
use portolan::serve::{Address, Bounds, Callers, ServeError, Server, Shelf};
use portolan::{Bundled, Component, Frontend, Grants, Host, InvalidPattern, Limits};
use rustix::process::{Resource, Rlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::chosen::{self, Named};
use crate::exit::{Exit, say};
use crate::progress::Screen;
use crate::setup::{cache_folder, said};
use crate::traces::Traces;
use crate::{policy, registries};

pub const ABOUT: &str = "The gateway: registries behind one address, over the distribution API and gRPC";

/// The command `serve`.
pub fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let path = |name: &'static str, value: &'static str, help: &'static str| {
        option(name, value, help).value_parser(value_parser!(PathBuf))
    };
    let address = |name: &'static str, help: &'static str| {
        option(name, "ADDRESS", help).value_parser(|text: &str| text.parse::<Address>())
    };
    let count = |name: &'static str, help: &'static str| option(name, "N", help).value_parser(value_parser!(usize));
    let mebibytes = |name: &'static str, help: &'static str| option(name, "MIB", help).value_parser(value_parser!(u32));
    Command::new("portolan serve")
        .bin_name("portolan serve")
        .about(ABOUT)
        .no_binary_name(true)
        .args([
            address("listen", "Where callers come: IP:PORT or unix:PATH")
                .action(ArgAction::Append)
                .default_value("127.0.0.1:5000"),
            address("operators", "Where /metrics, /livez and /readyz are"),
            option("traces", "URL", "Send traces to this collector, which takes OTLP over gRPC"),
            option("upstream", "HOST", "The registry of repositories that name none, such as docker.io"),
            option("tags", "FRONTEND", "Who answers what a tag means, in the place of the bundled resolve"),
            option("tags-argument", "NAME=VALUE", "What that one is told besides").action(ArgAction::Append),
            option("frontend", "NAME=FRONTEND", "One that callers may run by this name").action(ArgAction::Append),
            path("strategy", "FILE.wasm", "Judge by this component"),
            path(
                "uploads",
                "DIR",
                "Where content is gathered that is on its way, in the place of the folder for temporary files",
            ),
        ])
        .next_help_heading("Cache")
        .args([
            option("cache", "PLACE", "Keep what is pulled through: a folder, or s3://BUCKET[/PREFIX]"),
            mebibytes("cache-size", "Of all of it together").requires("cache"),
            mebibytes("cache-blob", "Of one blob; larger ones are handed through").requires("cache"),
            option("cache-days", "N", "What was kept longer ago goes")
                .value_parser(value_parser!(u32))
                .requires("cache"),
        ])
        .next_help_heading("Callers")
        .args([
            option("pull", "PATTERN", "Everybody may read these repositories").action(ArgAction::Append),
            option("push", "PATTERN", "Everybody may write to these").action(ArgAction::Append),
            path("callers", "FILE", "Who may do what; read again on SIGHUP"),
            path("tls-cert", "FILE", "TLS over TCP, with this chain of certificates; read again on SIGHUP")
                .requires("tls-key"),
            path("tls-key", "FILE", "Its key").requires("tls-cert"),
            path("client-ca", "FILE", "Who shows a certificate of these authorities is who it names")
                .requires("tls-cert"),
        ])
        .next_help_heading("Bounds")
        .args([
            count("connections", "Connections at a time"),
            count("requests", "Requests that are answered at a time"),
        ])
        .args(chosen::options())
        .after_help(
            "Example:\n  portolan serve --upstream docker.io --pull 'docker.io/*'\n  \
             crane manifest --insecure 127.0.0.1:5000/library/alpine:3",
        )
}

/// `serve`.
pub async fn serve(words: &[OsString], screen: &Screen) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let traces = Traces::begin(screen.clone(), matches.get_one::<String>("traces").map(String::as_str))?;
    let served = served(matches).await;
    traces.end().await;
    served
}

async fn served(matches: ArgMatches) -> Result<u8, Exit> {
    open_files();
    // From here on no signal ends it by itself.
    let mut signals = Signals::hear()?;
    let hangups = hear(SignalKind::hangup())?;
    let server = server(&matches).await?;
    let addresses: Vec<Address> = matches.get_many::<Address>("listen").into_iter().flatten().cloned().collect();
    let unbound = |error: std::io::Error| Exit::failure(error.to_string());
    let mut bound = server.bind(&addresses).await.map_err(unbound)?;
    if let Some(address) = matches.get_one::<Address>("operators") {
        bound = bound.operators(address).await.map_err(unbound)?;
    }
    for (address, who) in bound.addresses().iter().zip(addresses.iter().map(|_| "callers").chain(["operators"])) {
        say(&format!("listening on {address} for {who}"));
    }
    let reloading = tokio::spawn(reload(bound.server().clone(), matches, hangups));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let served = bound.serve(async { drop(ended.await) });
    let told = async {
        signals.next().await;
        say("finishing what is under way; again, and it is cut off");
        drop(end);
        signals.next().await;
        say("cut off");
    };
    tokio::pin!(served, told);
    tokio::select! {
        () = &mut served => {}
        () = &mut told => {}
    }
    reloading.abort();
    Ok(0)
}

async fn server(matches: &ArgMatches) -> Result<Server, Exit> {
    let policy = policy::policy()?;
    let strategy = matches.get_one::<PathBuf>("strategy").cloned();
    let ruling = policy::ruling(&policy, Who::Bundled(Bundled::Resolve), strategy.as_deref());
    let strategy = policy::strategy(strategy, &ruling)?;
    let limits = ruling.limits(&Limits::default());
    // Runs come side by side, and the process stays.
    let mut host = Host::builder().limits(limits.clone()).pooling(true);
    if let Some(cache) = cache_folder() {
        host = host.cache_dir(cache);
    }
    if let Some(strategy) = &strategy {
        host = host.strategy(strategy.component());
    }
    let host = host.build()?;
    let mut bounds = Bounds::default();
    for (name, bound) in [("connections", &mut bounds.connections), ("requests", &mut bounds.requests)] {
        if let Some(count) = matches.get_one::<usize>(name) {
            *bound = *count;
        }
    }
    let registry = registries::registry(matches)?;
    let mut builder = Server::builder(host.clone(), registry).callers(callers(matches)?).bounds(bounds).limits(limits);
    if let Some(upstream) = matches.get_one::<String>("upstream") {
        builder = builder.upstream(upstream);
    }
    if let Some(folder) = matches.get_one::<PathBuf>("uploads") {
        builder = builder.uploads(folder);
    }
    if let Some(place) = matches.get_one::<String>("cache") {
        let mut shelf = Shelf::at(place)?;
        if let Some(folder) = matches.get_one::<PathBuf>("uploads") {
            shelf = shelf.gathered_in(folder);
        }
        let mebibytes = |name| matches.get_one::<u32>(name).map(|count| u64::from(*count) << 20);
        if let Some(size) = mebibytes("cache-size") {
            shelf = shelf.size(size);
        }
        if let Some(most) = mebibytes("cache-blob") {
            shelf = shelf.blobs_up_to(most);
        }
        if let Some(days) = matches.get_one::<u32>("cache-days") {
            shelf = shelf.age(Duration::from_secs(u64::from(*days) * 24 * 60 * 60));
        }
        builder = builder.shelf(shelf);
    }
    if let Some([chain, key]) = certificate(matches) {
        builder = builder.tls(chain, key, matches.get_one::<PathBuf>("client-ca").map(PathBuf::as_path))?;
    }
    let arguments = pairs(matches, "tags-argument")?;
    if let Some(name) = matches.get_one::<String>("tags") {
        builder = builder.tags(&loaded(&host, name, &policy, matches).await?, arguments);
    } else if !arguments.is_empty() {
        let resolve = host.load(Component::Bundled(Bundled::Resolve)).await?;
        builder = builder.tags(&resolve, arguments);
    }
    for (name, frontend) in pairs(matches, "frontend")? {
        let frontend = loaded(&host, &frontend, &policy, matches).await?;
        builder = builder.frontend(name, &frontend);
    }
    Ok(builder.build().await?)
}

/// A frontend that may run here.
async fn loaded(host: &Host, name: &str, policy: &Policy, matches: &ArgMatches) -> Result<Frontend, Exit> {
    let chosen = Named::parse(name)?.chosen(policy, matches).await?;
    Ok(host.load(chosen.component()).await?)
}

/// `NAME=VALUE`, as often as it was said.
fn pairs(matches: &ArgMatches, option: &str) -> Result<Vec<(String, String)>, Exit> {
    let said = matches.get_many::<String>(option).into_iter().flatten();
    said.map(|text| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Exit::usage(format!("--{option} {text}: NAME=VALUE is meant"))),
    })
    .collect()
}

fn certificate(matches: &ArgMatches) -> Option<[&PathBuf; 2]> {
    Some([matches.get_one::<PathBuf>("tls-cert")?, matches.get_one::<PathBuf>("tls-key")?])
}

/// Who may do what: what is said here, and what the file says.
fn callers(matches: &ArgMatches) -> Result<Callers, Exit> {
    let mut grants = Grants::new();
    let patterns = |name| matches.get_many::<String>(name).into_iter().flatten();
    let wrong = |error: InvalidPattern| Exit::usage(error.to_string());
    for pattern in patterns("pull") {
        grants = grants.pull(pattern).map_err(wrong)?;
    }
    for pattern in patterns("push") {
        grants = grants.push(pattern).map_err(wrong)?;
    }
    match matches.get_one::<PathBuf>("callers") {
        None if grants == Grants::new() => Err(Exit::usage("nobody may do anything through this gateway")
            .hint("--pull 'docker.io/*' lets everybody read; --callers FILE tells callers apart")),
        None => Ok(Callers::anybody(grants)),
        Some(file) => {
            let callers = Callers::open(file).map_err(|error| Exit::failure(error.to_string()))?;
            Ok(callers.and_anybody(&grants))
        }
    }
}

/// Reads callers and certificates again on SIGHUP; what cannot be read leaves things as they are.
async fn reload(server: Server, matches: ArgMatches, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        match reread(&server, &matches) {
            Ok(()) => say("read callers and certificates again"),
            Err(exit) => {
                say("callers and certificates stay as they were:");
                exit.report();
            }
        }
    }
}

fn reread(server: &Server, matches: &ArgMatches) -> Result<(), Exit> {
    let callers = callers(matches)?;
    if let Some([chain, key]) = certificate(matches) {
        server.set_tls(chain, key, matches.get_one::<PathBuf>("client-ca").map(PathBuf::as_path))?;
    }
    server.set_callers(callers);
    Ok(())
}

/// As many files as this process may have: each connection is one, and shells are told of 1024.
fn open_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, most) {
        tracing::warn!("this process stays with {:?} open files: {error}", limit.current);
    }
}

fn hear(kind: SignalKind) -> Result<Signal, Exit> {
    signal(kind).map_err(|error| Exit::failure(format!("cannot hear signals: {error}")))
}

/// SIGINT and SIGTERM.
struct Signals([Signal; 2]);

impl Signals {
    fn hear() -> Result<Signals, Exit> {
        Ok(Signals([hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?]))
    }

    /// Either of them.
    async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

impl From<ServeError> for Exit {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Load(error) => error.into(),
            error => Exit::failure(error.to_string()),
        }
    }
}
