//! The command line's options about registries, and `explain registry`: which place is heard, and who said what.

use std::fs;
use std::path::Path;

use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry as Server;
use serde_json::Value;

/// The command line in the fixtures' folder.
pub fn portolan() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder())
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn mirror(name: &str) -> String {
    format!("[registry.\"r.example\"]\nmirrors = [\"{name}.example\"]\n")
}

#[test]
fn which_place_is_heard() {
    let portolan = portolan();
    let home = portolan.home().to_owned();
    let file = |name: &str, text: &str| {
        write(&home.join(name), text);
        home.join(name).display().to_string()
    };
    let usual = file(".config/buildkit/buildkitd.toml", &mirror("usual"));
    let named = file("named.toml", &mirror("named"));
    let silent = file("silent.toml", "debug = true\n");
    let config = mirror("builder");
    let instance = serde_json::json!({"Name": "ci", "Nodes": [{"Files": {"buildkitd.toml": base64(&config)}}]});
    file(".docker/buildx/instances/ci", &instance.to_string());
    file("certs.d/r.example/hosts.toml", "[host.\"https://folder.example\"]\n");
    file(".config/docker/certs.d/d.example/ca.crt", "no certificate yet");
    let folder = home.join("certs.d").display().to_string();

    let first = |options: &str| portolan.ok(&format!("explain registry r.example --jq .pull[0] {options}"));
    for (options, expected) in [
        (String::new(), "https://usual.example/v2/\n"),
        ("--builder ci".into(), "https://builder.example/v2/\n"),
        (format!("--builder ci --buildkitd-config {named}"), "https://named.example/v2/\n"),
        (format!("--builder ci --buildkitd-config {named} --hosts-dir {folder}"), "https://folder.example/v2/\n"),
        (format!("--buildkitd-config {silent}"), "https://usual.example/v2/\n"),
        (format!("--buildkitd-config {silent} --builder ci"), "https://builder.example/v2/\n"),
    ] {
        assert_eq!(first(&options), expected, "{options}");
    }
    let by = |line: &str| portolan.ok(&format!("explain registry {line}"));
    assert_eq!(by("r.example --jq .hosts[0].by"), format!("{usual}:2\n"));
    assert_eq!(by("r.example --jq .hosts[1].by"), format!("{usual}:1\n"));
    assert_eq!(by("r.example --plain-http --jq .hosts[].tls.by"), "https, as nothing else is said\n--plain-http\n");
    assert_eq!(by("r.example --plain-http --jq .push[]"), "http://r.example/v2/\n");
    assert_eq!(by("r.example --insecure --jq .hosts[].tls.value"), "verified\nunverified\n");
    let authority = home.join(".config/docker/certs.d/d.example/ca.crt").display().to_string();
    assert_eq!(by("d.example --jq .hosts[].authorities[].value"), format!("{authority}\n"));
    assert_eq!(by("d.example --ca x.pem --jq .hosts[].authorities[1].by"), "--ca\n");
}

#[test]
fn named_places_that_are_wrong_are_errors_and_usual_ones_warnings() {
    let portolan = portolan();
    let home = portolan.home().to_owned();
    write(&home.join("broken.toml"), "[registry.\"r.example\"]\nhttp = 1\n");
    let broken = home.join("broken.toml").display().to_string();
    for (options, says) in [
        (format!("--buildkitd-config {broken}"), format!("{broken}:2: this is to be true or false")),
        ("--buildkitd-config nowhere.toml".into(), "nowhere.toml: there is no such file".into()),
        ("--hosts-dir nowhere".into(), "nowhere: there is no such folder".into()),
        ("--builder nobody".into(), "there is no builder \"nobody\"".into()),
        ("--builder ../x".into(), "is no name of a builder".into()),
        ("--authfile nowhere.json".into(), "nowhere.json: No such file".into()),
    ] {
        let said = portolan.fails(1, &format!("explain registry r.example {options}"));
        assert!(said.contains(&says), "{options}\n{said}");
        let said = portolan.fails(1, &format!("resolve 127.0.0.1:1/app:1 {options}"));
        assert!(said.contains(&says) || options.contains("authfile"), "{options}\n{said}");
    }
    // A run that asks no registry reads none of it.
    portolan.ok(&format!("resolve oci-layout://layouts/buildkit-multi:1.4 --buildkitd-config {broken}"));
    write(&home.join(".config/buildkit/buildkitd.toml"), "[registry");
    let printed = portolan.line("explain registry r.example --jq .pull[]");
    assert_eq!((printed.status, printed.out.as_str()), (0, "https://r.example/v2/\n"));
    assert!(printed.err.contains("buildkitd.toml:1: "), "{}", printed.err);
}

#[test]
fn who_said_what_and_no_secret() {
    let portolan = portolan();
    let home = portolan.home().to_owned();
    let toml = "server = \"https://r.example\"\ncolor = 1\n[host.\"https://m.example/proxy\"]\ncapabilities = [\"pull\"]\n\
                ca = \"ca.pem\"\nclient = \"client.pem\"\ndial_timeout = \"5s\"\nallow-private-redirects = true\n\
                [host.\"https://m.example/proxy\".header]\nx-secret = \"hunter2\"\n";
    write(&home.join("certs.d/r.example/hosts.toml"), toml);
    let config = r#"{"auths":{"r.example":{"auth":"YWRhOmh1bnRlcjI="}},"credHelpers":{"m.example":"nowhere"}}"#;
    write(&home.join(".docker/config.json"), config);
    let hosts = home.join("certs.d");
    let (hosts, docker) = (hosts.display(), home.join(".docker/config.json"));
    let docker = docker.display();
    let line = format!("explain registry r.example --hosts-dir {hosts}");
    let file = format!("{hosts}/r.example/hosts.toml");
    let expected = format!(
        "\
Registry      r.example
pull          https://m.example/proxy/v2/
              https://r.example/v2/
resolve       https://r.example/v2/
push          https://r.example/v2/

https://m.example/proxy/v2/
  named by    {file}:3
  told        ns=r.example
  TLS         verified by the system's authorities ({file}:3)
  and by      {hosts}/r.example/ca.pem ({file}:5)
  shown       {hosts}/r.example/client.pem ({file}:6)
  headers     x-secret ({file}:10)
  redirects   into private networks, too ({file}:8)
  time-out    5s ({file}:7)
  credentials helper nowhere, asked for m.example ({docker})

https://r.example/v2/
  named by    {file}:1
  TLS         verified by the system's authorities ({file}:1)
  credentials r.example ({docker})

Ignored       color ({file}:2)
"
    );
    assert_eq!(portolan.ok(&line), expected);
    let json: Value = serde_json::from_str(&portolan.ok(&format!("{line} --format json"))).unwrap();
    assert_eq!(json["hosts"][0]["credentials"]["helper"], "nowhere");
    assert_eq!(json["hosts"][1]["namespace"], Value::Null);
    assert_eq!(json["pull"], serde_json::json!(["https://m.example/proxy/v2/", "https://r.example/v2/"]));
    assert!(!json.to_string().contains("hunter2"));
    for (line, status, says) in [
        ("explain registry", 2, "HOST"),
        ("explain registry alpine", 1, "names no host"),
        ("explain registry docker.io/library/alpine:3", 1, "without tag and digest"),
        ("explain registry r.example --format yaml", 2, "yaml"),
    ] {
        assert!(portolan.fails(status, line).contains(says), "{line}");
    }
    assert_eq!(portolan.ok("explain registry docker.io/library/alpine --jq .registry"), "docker.io/library/alpine\n");
    assert!(portolan.ok("explain platform linux/arm64").contains("arm64"), "the guest's explain is as it was");
}

#[test]
fn every_command_that_asks_a_registry_takes_the_options() {
    let server = Server::start();
    let layout = fixtures::layout("buildkit-single");
    server.push(&format!("oci:{}:2", layout.display()), "app:2");
    let portolan = portolan();
    let file = portolan.home().join("buildkitd.toml");
    write(&file, &format!("[registry.\"r.example\"]\nmirrors = [\"{}\"]\n", server.host()));
    let digest = portolan.ok(&format!("resolve {}/app:2 --digest", server.host()));
    for command in ["resolve --digest", "run resolve --digest"] {
        let line = format!("{command} r.example/app:2 --buildkitd-config {}", file.display());
        assert_eq!(portolan.ok(&line), digest, "{command}");
    }
    assert!(portolan.ok("inspect --help").contains("Registries:"));
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}
