//! Who calls: by a password, a token, a certificate, or the user at the other end of a socket.

use std::fs;
use std::process::Command;

use portolan_hostile::{Hostile, on};
use portolan_oci::Digest;
use portolan_tests::authority::Authority;
use portolan_tests::registry::run;
use portolan_tests::serving::ask;

use super::{before, cli, registry};

/// `ci:secret`
const BASIC: &str = "Basic Y2k6c2VjcmV0";

fn callers() -> String {
    format!("[caller.ci]\nsecret = \"{}\"\npull = [\"*\"]\n", Digest::sha256(b"secret"))
}

#[test]
fn a_password_opens_what_it_is_for() {
    let (cli, registry) = (cli(), registry());
    let file = cli.home().join("callers.toml");
    fs::write(&file, callers()).unwrap();
    let mut serving = before(&cli, registry.host(), &format!("--callers {}", file.display()));
    let get = |header: Option<&str>, path: &str| {
        let headers: Vec<_> = header.iter().map(|value| ("Authorization", *value)).collect();
        ask(serving.host(), "GET", path, &headers, b"")
    };
    let manifest = "/v2/app/manifests/1.4";
    for path in ["/v2/", manifest] {
        let stranger = get(None, path);
        assert_eq!((stranger.status, stranger.header("www-authenticate")), (401, Some("Basic realm=\"portolan\"")));
        assert_eq!(get(Some("Basic Y2k6d3Jvbmc="), path).status, 401);
        assert_eq!(get(Some(BASIC), path).status, 200);
        assert_eq!(get(Some("Bearer secret"), path).status, 200);
    }
    // As skopeo does it.
    let image = format!("docker://{}/app:1.4", serving.host());
    let mut skopeo = Command::new("skopeo");
    run(skopeo.args(["inspect", "--raw", "--tls-verify=false", "--creds=ci:secret", &image]), "skopeo");

    // What was never asked is not cached for a stranger, and neither is what was.
    assert_eq!(get(None, manifest).status, 401);

    // The file is read again, and one that is wrong changes nothing.
    fs::write(&file, "[caller.ci]\n").unwrap();
    serving.signal("HUP");
    serving.says("stay as they were");
    let host = serving.host().to_owned();
    let status = |header: Option<&str>| {
        let headers: Vec<_> = header.iter().map(|value| ("Authorization", *value)).collect();
        ask(&host, "GET", manifest, &headers, b"").status
    };
    assert_eq!(status(Some(BASIC)), 200);
    fs::write(&file, "[anybody]\npull = [\"*\"]\n").unwrap();
    serving.signal("HUP");
    serving.says("read callers and certificates again");
    assert_eq!((status(None), status(Some(BASIC))), (200, 401));
}

#[test]
fn what_a_caller_shows_goes_no_further() {
    let cli = cli();
    let file = cli.home().join("callers.toml");
    fs::write(&file, callers()).unwrap();
    let hostile = Hostile::play(vec![on("*", "*").header("WWW-Authenticate", "Basic realm=\"show me\"").status(401)]);
    let serving = before(&cli, &hostile.host(), &format!("--callers {}", file.display()));
    let answer = ask(serving.host(), "GET", "/v2/app/manifests/1", &[("Authorization", BASIC)], b"");
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(!hostile.requests().is_empty());
    for request in hostile.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
}

#[test]
fn a_certificate_says_who_calls() {
    let (cli, registry) = (cli(), registry());
    let authority = Authority::new();
    let server = authority.sign("server", "IP:127.0.0.1", "1");
    let client = authority.sign("client", "DNS:builder.corp", "1");
    let file = cli.home().join("callers.toml");
    fs::write(&file, "[caller.builder]\ncertificate = \"builder.corp\"\npull = [\"*\"]\n").unwrap();
    let words = format!(
        "--callers {} --tls-cert {} --tls-key {} --client-ca {}",
        file.display(),
        server.0.display(),
        server.1.display(),
        authority.certificate().display(),
    );
    let serving = before(&cli, registry.host(), &words);
    let curl = |more: &[&str]| {
        let url = format!("https://{}/v2/app/manifests/1.4", serving.host());
        let ca = authority.certificate().display().to_string();
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", &ca]).args(more).arg(url);
        String::from_utf8(run(&mut curl, "curl").stdout).unwrap()
    };
    assert_eq!(curl(&[]), "403");
    let (certificate, key) = (client.0.display().to_string(), client.1.display().to_string());
    assert_eq!(curl(&["--cert", &certificate, "--key", &key]), "200");
}

#[test]
fn nobody_may_do_anything_unless_it_is_said() {
    let cli = cli();
    let said = cli.fails(2, "serve --listen 127.0.0.1:0");
    assert!(said.contains("nobody may do anything"), "{said}");
    let said = cli.fails(1, "serve --callers /nowhere/callers.toml");
    assert!(said.contains("/nowhere/callers.toml"), "{said}");
    let said = cli.fails(1, "serve --pull * --listen unix:/nowhere/p.sock");
    assert!(said.contains("cannot listen on unix:/nowhere/p.sock"), "{said}");
    let said = cli.fails(2, "serve --pull * --listen localhost");
    assert!(said.contains("IP:PORT"), "{said}");
}

#[test]
fn over_a_unix_socket_the_user_says_who_calls() {
    let (cli, registry) = (cli(), registry());
    let (file, socket) = (cli.home().join("callers.toml"), cli.home().join("p.sock"));
    let me = String::from_utf8(run(Command::new("id").arg("-u"), "coreutils").stdout).unwrap();
    fs::write(&file, format!("[caller.me]\nuid = {}\npull = [\"*\"]\n", me.trim())).unwrap();
    let words = format!("--callers {} --listen unix:{}", file.display(), socket.display());
    let serving = before(&cli, registry.host(), &words);
    let url = "http://localhost/v2/app/manifests/1.4";
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket"]).arg(&socket).arg(url);
    assert_eq!(run(&mut curl, "curl").stdout, b"200");
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"").status, 403);
}
