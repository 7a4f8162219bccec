//! Files that a person writes on the build host: what they come to is told by `explain`, which asks nobody, and that is
//! sound, or they are wrong and the error can be shown. Neither tells a secret.

use std::fs;
use std::path::Path;

use portolan::source::registry::{Builder, Explanation, Hosts, Registry};
use portolan::{Error, Result};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::{is_tame, scratch};

/// What the corpora have where secrets are.
const SECRET: &str = "hunter2";

const QUESTIONS: [&str; 4] = ["r.example", "r.example/team/app", "docker.io/library/alpine", "localhost:5000"];

/// What is understood of a file, for every question; each is checked.
fn explain(registry: Builder, tells: bool) {
    let registry = registry.build().expect("a client");
    for question in QUESTIONS {
        let answer: Result<Explanation> = scratch::wait(registry.explain(question));
        let text = match answer {
            Ok(explanation) => {
                check(&explanation);
                serde_json::to_string(&explanation).expect("it is data")
            }
            Err(error) => told(&error),
        };
        assert!(tells || !text.contains(SECRET), "a secret is told: {text}");
    }
}

/// An error as a person sees it.
fn told(error: &Error) -> String {
    let text = format!("{error} {}", error.hint().unwrap_or_default());
    assert!(is_tame(&text), "{text:?}");
    text
}

fn check(explanation: &Explanation) {
    let urls: Vec<&str> = explanation.hosts.iter().map(|host| host.url.as_str()).collect();
    assert!(!urls.is_empty());
    assert!(explanation.push.len() <= 1, "{explanation:?}");
    for url in explanation.pull.iter().chain(&explanation.resolve).chain(&explanation.push) {
        assert!(urls.contains(&url.as_str()), "{url} is none of {urls:?}");
    }
    for host in &explanation.hosts {
        let is_plain = host.url.starts_with("http://");
        assert!(is_plain || host.url.starts_with("https://"), "{}", host.url);
        assert_eq!(is_plain, host.tls.value == "plain", "{host:?}");
        assert!(is_tame(&host.url) && !host.url.contains([' ', '?', '#']), "{:?}", host.url);
        // A path may have an `@`; before it there would be a user.
        let authority = host.url.split('/').nth(2).unwrap_or_default();
        assert!(!authority.is_empty() && !authority.contains('@'), "{:?}", host.url);
    }
}

/// A client that knows of no other file.
fn nobody() -> Builder {
    let nobody = Registry::builder().docker_config(None).auth_file(None).podman_auth_files(Vec::new());
    nobody.hosts(Hosts::none())
}

/// docker's `config.json`: a secret is nowhere but where it is kept. Helpers are named, and not run.
pub fn config_json(data: &[u8]) {
    let tells = serde_json::from_slice(data).is_ok_and(|config: Value| {
        let helpers = [&config["credsStore"], &config["credHelpers"]];
        helpers.iter().any(|helper| helper.to_string().contains(SECRET)) || has_key(&config, SECRET)
    });
    scratch::with(|folder| {
        write(&folder.join("config.json"), data);
        explain(nobody().docker_config(Some(folder.to_owned())), tells);
    });
}

fn has_key(value: &Value, text: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains(text) || has_key(value, text)),
        Value::Array(values) => values.iter().any(|value| has_key(value, text)),
        _ => false,
    }
}

/// containerd's `hosts.toml`: what a header holds is told nowhere.
pub fn hosts_toml(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let tells = DeTable::parse(&text).is_ok_and(|table| says(table.get_ref(), SECRET));
    scratch::with(|folder| {
        let place = folder.join("r.example");
        fs::create_dir_all(&place).expect("a folder");
        write(&place.join("hosts.toml"), data);
        explain(nobody().hosts(Hosts::none().hosts_dir(folder)), tells);
    });
}

/// Whether `text` is anywhere but in the values of headers.
fn says(table: &DeTable<'_>, text: &str) -> bool {
    fn value_says(value: &DeValue<'_>, text: &str) -> bool {
        match value {
            DeValue::Table(table) => says(table, text),
            DeValue::Array(values) => values.iter().any(|value| value_says(value.get_ref(), text)),
            DeValue::String(string) => string.contains(text),
            _ => false,
        }
    }
    table.iter().any(|(key, value)| match (&**key.get_ref(), value.get_ref()) {
        ("header", DeValue::Table(headers)) => headers.keys().any(|name| name.get_ref().contains(text)),
        (key, value) => key.contains(text) || value_says(value, text),
    })
}

/// `buildkitd.toml`, which has no secrets.
pub fn buildkitd_toml(data: &[u8]) {
    scratch::with(|folder| {
        let file = folder.join("buildkitd.toml");
        write(&file, data);
        explain(nobody().hosts(Hosts::none().buildkitd_config(file)), true);
    });
}

fn write(file: &Path, data: &[u8]) {
    fs::write(file, data).expect("a file");
}
