//! How registries are reached: the options that every command has which may ask one, and `explain registry`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use portolan::source::registry::{AskedHost, Explanation, Hosts, Registry, Remark};

use crate::exit::Exit;
use crate::output;
use crate::setup::{cache_folder, said};

/// The names of [`options`].
pub const OPTIONS: [&str; 8] =
    ["authfile", "builder", "buildkitd-config", "ca", "hosts-dir", "insecure", "offline", "plain-http"];

/// What says which hosts a registry means, and who asks.
pub fn options() -> Vec<Arg> {
    let option =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).help_heading("Registries");
    let path = |name: &'static str, value: &'static str, help: &'static str| {
        option(name, help).value_name(value).value_parser(value_parser!(PathBuf))
    };
    vec![
        option("plain-http", "Speak plain HTTP to the registries that are named, not to their mirrors")
            .action(ArgAction::SetTrue),
        option("insecure", "Take any certificate from the registries that are named").action(ArgAction::SetTrue),
        option("offline", "Ask no registry: answer from what was seen before, and say how old that is")
            .action(ArgAction::SetTrue),
        path("ca", "FILE", "Trust these certificate authorities, too").action(ArgAction::Append),
        path("authfile", "FILE", "Take credentials from this file alone"),
        path("hosts-dir", "DIR", "Mirrors and TLS as containerd's certs.d has them"),
        path("buildkitd-config", "FILE", "Mirrors and TLS as a buildkitd.toml has them"),
        option("builder", "This builder of buildx: its mirrors and TLS, and for buildkit:// what it has built")
            .value_name("NAME"),
    ]
}

/// The registries of a command.
pub fn registry(matches: &ArgMatches) -> Result<Registry, Exit> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let mut hosts = Hosts::usual().plain_http(matches.get_flag("plain-http")).insecure(matches.get_flag("insecure"));
    for file in matches.get_many::<PathBuf>("ca").into_iter().flatten() {
        hosts = hosts.ca(file);
    }
    if let Some(folder) = path("hosts-dir") {
        hosts = hosts.hosts_dir(folder);
    }
    if let Some(file) = path("buildkitd-config") {
        hosts = hosts.buildkitd_config(file);
    }
    if let Some(name) = matches.get_one::<String>("builder") {
        hosts = hosts.builder(name);
    }
    let mut builder = Registry::builder().cache_dir(cache_folder()).hosts(hosts).offline(matches.get_flag("offline"));
    if let Some(file) = path("authfile") {
        builder = builder.only_auth_file(file);
    }
    Ok(builder.build()?)
}

/// The command `explain registry`.
pub fn command() -> Command {
    Command::new("portolan explain registry")
        .bin_name("portolan explain registry")
        .about("Which hosts a registry means, how they are reached, and who said so. Nobody is asked")
        .no_binary_name(true)
        .arg(Arg::new("host").value_name("HOST[:PORT][/REPOSITORY]").required(true).help("A registry or a repository"))
        .args(output::explaining())
        .args(options())
        .after_help("Example:\n  portolan explain registry docker.io\n  portolan explain registry r.corp:5000 --builder ci --jq .pull[]")
}

/// `explain registry HOST`.
pub async fn explain(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words.iter().skip(1)) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let host = matches.get_one::<String>("host").map_or("", String::as_str);
    let explanation = registry(&matches)?.explain(host).await?;
    output::explained(&matches, &explanation, || text(&explanation))
}

/// Lines of a name and a value; a value of many has a line for each.
struct Lines(String);

impl Lines {
    fn add(&mut self, indent: &str, name: &str, values: impl IntoIterator<Item = String>) {
        let mut name = name;
        for value in values {
            let width = 13 - indent.len();
            let _ = writeln!(self.0, "{indent}{name:<width$} {value}");
            name = "";
        }
    }
}

fn text(explanation: &Explanation) -> String {
    let Explanation { registry, pull, resolve, push, hosts, ignored, .. } = explanation;
    let mut lines = Lines(String::new());
    lines.add("", "Registry", [registry.clone()]);
    for (name, urls) in [("pull", pull), ("resolve", resolve), ("push", push)] {
        let nobody = urls.is_empty().then(|| "nobody".to_owned());
        lines.add("", name, urls.iter().cloned().chain(nobody));
    }
    for host in hosts {
        lines.0.push('\n');
        host_lines(&mut lines, host);
    }
    if !ignored.is_empty() {
        lines.0.push('\n');
        lines.add("", "Ignored", ignored.iter().map(by));
    }
    lines.0
}

fn by(remark: &Remark) -> String {
    format!("{} ({})", remark.value, remark.by)
}

fn host_lines(lines: &mut Lines, host: &AskedHost) {
    lines.0.push_str(&format!("{}\n", host.url));
    let mut add = |name: &str, values: Vec<String>| lines.add("  ", name, values);
    add("named by", vec![host.by.clone()]);
    add("told", host.namespace.iter().map(|namespace| format!("ns={namespace}")).collect());
    let tls = match host.tls.value.as_str() {
        "plain" => "none, plain HTTP",
        "unverified" => "any certificate",
        _ => "verified by the system's authorities",
    };
    add("TLS", vec![format!("{tls} ({})", host.tls.by)]);
    // They count even of a plain host: it may send us to one that speaks TLS.
    add("and by", host.authorities.iter().map(by).collect());
    add("shown", host.client.iter().map(by).collect());
    add("headers", host.headers.iter().map(by).collect());
    add("realms", host.realms.iter().map(by).collect());
    let private = host.allow_private_redirects.iter().filter(|said| said.value == "true");
    add("redirects", private.map(|said| format!("into private networks, too ({})", said.by)).collect());
    add("time-out", host.dial_timeout.iter().map(by).collect());
    let credentials = match &host.credentials {
        None => "none".to_owned(),
        Some(kept) => match &kept.helper {
            Some(helper) => format!("helper {helper}, asked for {} ({})", kept.key, kept.file),
            None => format!("{} ({})", kept.key, kept.file),
        },
    };
    add("credentials", vec![credentials]);
}
