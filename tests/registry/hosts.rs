//! Hosts of the build host: mirrors, TLS, and what belongs to which host. Files are written as BuildKit, containerd and
//! docker have them.

use std::fs;
use std::path::Path;

use portolan::source::registry::Hosts;
use portolan::source::sink::Document;
use portolan::{Code, Limits};
use portolan_tests::authority::Authority;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry as Server;
use tempfile::TempDir;

use super::push::Blob;
use super::*;

/// A `buildkitd.toml`.
fn buildkitd(toml: &str) -> (TempDir, Hosts) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("buildkitd.toml");
    fs::write(&file, toml).unwrap();
    (folder, Hosts::none().buildkitd_config(file))
}

/// A `certs.d` with a `hosts.toml` for each of these.
fn certs_d(files: &[(&str, &str)]) -> (TempDir, Hosts) {
    let folder = tempfile::tempdir().unwrap();
    for (host, toml) in files {
        fs::create_dir(folder.path().join(host)).unwrap();
        fs::write(folder.path().join(host).join("hosts.toml"), toml).unwrap();
    }
    let hosts = Hosts::none().hosts_dir(folder.path());
    (folder, hosts)
}

fn mirrors(of: &str, mirrors: &[&Hostile]) -> String {
    let hosts: Vec<String> = mirrors.iter().map(|mirror| format!("{:?}", mirror.host())).collect();
    format!("[registry.\"{of}\"]\nmirrors = [{}]\n", hosts.join(", "))
}

fn nothing() -> Hostile {
    Hostile::play(vec![])
}

#[tokio::test]
async fn mirrors_are_asked_in_order_and_told_who_is_meant() {
    let (absent, busy) = (nothing(), Hostile::play(vec![on("*", "*").status(503)]));
    let refusing = Hostile::play(vec![on("*", "*").status(403)]);
    let right = Hostile::play(vec![serve("*", "*", MANIFEST)]);
    let never = nothing();
    let toml = mirrors("r.example", &[&absent, &busy, &refusing, &right, &never]);
    let (_folder, hosts) = buildkitd(&toml);
    let app = repository(client().hosts(hosts), "r.example", "app");
    let root = resolve_tag(&app, "1").await.unwrap();
    assert_eq!(root, manifest(MANIFEST));
    assert_eq!(app.fetch(&root, &Limits::default()).await.unwrap(), MANIFEST);
    assert_eq!(app.repository(), "r.example/app");
    for mirror in [&absent, &busy, &refusing, &right] {
        let requests = mirror.requests();
        assert!(requests.iter().all(|request| request.query == "ns=r.example"), "{requests:?}");
        assert!(requests.iter().all(|request| request.path.starts_with("/v2/app/")), "{requests:?}");
    }
    assert_eq!(busy.asked().len(), 2, "once for each question: the next host is the next try");
    assert_eq!(never.asked(), [""; 0]);
}

#[tokio::test]
async fn the_registry_has_the_last_word_and_every_answer_is_told() {
    let (mirror, itself) = (Hostile::play(vec![on("*", "*").status(500)]), nothing());
    let (_folder, hosts) = buildkitd(&mirrors(&itself.host(), &[&mirror]));
    let app = repository(client().hosts(hosts), &itself.host(), "app");
    let (mirror, itself) = (mirror.host(), itself.host());
    assert_says(
        resolve_tag(&app, "1").await,
        &[
            "not-found: cannot resolve ",
            &format!("{itself} answered 404: it is not there (asked before: {mirror} answered 500: it is in trouble)"),
        ],
    );
}

#[tokio::test]
async fn a_mirror_that_is_gone_is_left_alone() {
    let itself = Hostile::play(vec![serve("*", "*", MANIFEST)]);
    let gone = nothing();
    let toml = mirrors(&itself.host(), &[&gone]);
    drop(gone);
    let (_folder, hosts) = buildkitd(&toml);
    let app = repository(client().hosts(hosts), &itself.host(), "app");
    for tag in ["1", "2"] {
        assert_eq!(resolve_tag(&app, tag).await.unwrap(), manifest(MANIFEST));
    }
    let absent = resolve_tag(&app, "x/y").await;
    assert_says(absent, &["invalid-reference: "]);
}

#[tokio::test]
async fn what_a_mirror_sends_is_verified_and_the_next_host_is_asked() {
    let blob = blob(b"whole and right");
    let bytes = |bytes: &'static [u8]| Hostile::play(vec![on("GET", "*").body(bytes)]);
    for liar in [bytes(b"whole and wrong"), bytes(b"whole"), bytes(b"whole and right and more")] {
        let itself = bytes(b"whole and right");
        let (_folder, hosts) = buildkitd(&mirrors(&itself.host(), &[&liar]));
        let app = repository(client().hosts(hosts), &itself.host(), "app");
        assert_eq!(app.fetch(&blob, &Limits::default()).await.unwrap(), "whole and right");
        let part = app.read(&blob, 0, 15).await.unwrap();
        assert_eq!(part, "whole and right");
        // A stream cannot start over by itself; whoever opens it again gets it from the next host.
        let mut opened = 0;
        for _ in 0..2 {
            let pieces: Result<Vec<_>, _> =
                futures_util::TryStreamExt::try_collect(app.open(&blob).await.unwrap()).await;
            opened += usize::from(pieces.is_ok_and(|pieces| pieces.concat() == b"whole and right"));
        }
        assert!(opened >= 1);
        assert!(!liar.asked().is_empty() && !itself.asked().is_empty());
    }
}

#[tokio::test]
async fn a_mirror_that_may_only_be_pulled_from_resolves_no_tag() {
    let mirror = Hostile::play(vec![serve("*", "*", MANIFEST), on("*", "*").body(r#"{"tags":["evil"]}"#)]);
    let itself =
        Hostile::play(vec![serve("*", "1", MANIFEST), on("GET", "/v2/app/tags/list").body(r#"{"tags":["1"]}"#)]);
    let toml = format!("[host.\"http://{}\"]\ncapabilities = [\"pull\"]\n", mirror.host());
    let (_folder, hosts) = certs_d(&[(&itself.host(), &toml)]);
    let app = repository(client().hosts(hosts), &itself.host(), "app");
    let root = resolve_tag(&app, "1").await.unwrap();
    assert_eq!(app.tags(None).await.unwrap().tags, ["1"]);
    app.referrers(&root.digest, None, &Limits::default()).await.unwrap();
    assert_says(resolve_tag(&app, "2").await, &["not-found: "]);
    assert_eq!(mirror.asked(), [""; 0]);
    assert_eq!(app.fetch(&root, &Limits::default()).await.unwrap(), MANIFEST);
    app.resolve(Target::Digest(&root.digest), &Limits::default()).await.unwrap();
    assert_eq!(mirror.asked().len(), 2, "by digest it may be asked, for that is verified");
}

#[tokio::test]
async fn paths_and_default_folders() {
    let mirror = Hostile::play(vec![serve("*", "*", MANIFEST), on("HEAD", "/proxy/v2/app/manifests/1").status(404)]);
    for (folder, header, path) in [
        ("r.example", "", "/v2/app/manifests/1"),
        ("_default", "", "/v2/app/manifests/1"),
        ("r.example", "/proxy", "/proxy/v2/app/manifests/1"),
        ("r.example", "/v2/proxy\"]\noverride_path = true\n#", "/v2/proxy/app/manifests/1"),
        ("r.example", "/x\"]\noverride_path = true\n#", "/x/app/manifests/1"),
    ] {
        let before = mirror.requests().len();
        let (_folder, hosts) = certs_d(&[(folder, &format!("[host.\"http://{}{header}\"]\n", mirror.host()))]);
        let app = repository(client().hosts(hosts), "r.example", "app");
        let _ = resolve_tag(&app, "1").await;
        let request = &mirror.requests()[before];
        assert_eq!((request.path.as_str(), request.query.as_str()), (path, "ns=r.example"), "{folder} {header}");
    }
    let (_folder, hosts) = buildkitd(&format!("[registry.\"r.example\"]\nmirrors = [\"{}/proxy\"]\n", mirror.host()));
    let _ = resolve_tag(&repository(client().hosts(hosts), "r.example", "app"), "1").await;
    assert_eq!(mirror.requests().last().unwrap().path, "/v2/proxy/app/manifests/1");
}

#[tokio::test]
async fn pages_of_tags_come_from_one_mirror() {
    let mirror = Hostile::play(vec![
        on("GET", "/v2/app/tags/list").body(r#"{"tags":["a"]}"#).header("Link", r#"<?last=a>; rel="next""#).once(),
        on("GET", "/v2/app/tags/list").body(r#"{"tags":["b"]}"#),
    ]);
    let absent = nothing();
    let (_folder, hosts) = buildkitd(&mirrors("r.example", &[&absent, &mirror]));
    let app = repository(client().hosts(hosts), "r.example", "app");
    let first = app.tags(None).await.unwrap();
    let second = app.tags(first.next.as_deref()).await.unwrap();
    assert_eq!((first.tags, second.tags, second.next), (vec!["a".to_owned()], vec!["b".to_owned()], None));
    assert_eq!(absent.asked().len(), 1);
    let queries: Vec<String> = mirror.requests().into_iter().map(|request| request.query).collect();
    assert_eq!(queries, ["ns=r.example&n=1000", "ns=r.example&last=a"]);
}

/// Every header that could be a secret, of every request.
fn shown(server: &Hostile) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for request in server.requests() {
        let told = request.headers.iter().filter(|(name, _)| name == "authorization" || name.starts_with("x-"));
        found.extend(told.map(|(name, value)| format!("{name}: {value}")));
    }
    found.sort();
    found.dedup();
    found
}

fn basic(user: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:pw")))
}

#[tokio::test]
async fn what_one_host_is_shown_no_other_ever_sees() {
    let challenge = |scene: Scene| scene.status(401).header("WWW-Authenticate", "Basic realm=\"x\"");
    let elsewhere = nothing();
    let away = format!("http://{}/elsewhere", elsewhere.host());
    let mirror = Hostile::play(vec![
        challenge(on("*", "*").without("authorization")),
        on("*", "*").status(307).header("Location", &away),
    ]);
    let itself = Hostile::play(vec![
        challenge(on("*", "*").without("authorization")),
        on("*", "*").status(307).header("Location", &away),
    ]);
    let toml = format!(
        "server = \"http://{itself}\"\n[header]\nx-itself = \"s1\"\n[host.\"http://{mirror}\"]\n\
         [host.\"http://{mirror}\".header]\nx-mirror = [\"s2\", \"s3\"]\n",
        itself = itself.host(),
        mirror = mirror.host(),
    );
    let (_folder, hosts) = certs_d(&[("r.example", &toml)]);
    let docker = tempfile::tempdir().unwrap();
    let entry = |host: &str, user: &str| format!("{host:?}:{{\"username\":\"{user}\",\"password\":\"pw\"}}");
    let auths = [entry("r.example", "meant"), entry(&mirror.host(), "mirror"), entry(&itself.host(), "itself")];
    fs::write(docker.path().join("config.json"), format!("{{\"auths\":{{{}}}}}", auths.join(","))).unwrap();
    let client = client().hosts(hosts).docker_config(Some(docker.path().to_owned()));
    let app = repository(client, "r.example", "app");
    let error = resolve_tag(&app, "1").await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    assert_eq!(
        shown(&mirror),
        [format!("authorization: {}", basic("mirror")), "x-mirror: s2".into(), "x-mirror: s3".into()]
    );
    assert_eq!(shown(&itself), [format!("authorization: {}", basic("itself")), "x-itself: s1".into()]);
    assert_eq!(shown(&elsewhere), [""; 0]);
    assert!(!elsewhere.asked().is_empty());
}

#[tokio::test]
async fn what_is_written_goes_to_the_registry_itself() {
    let (mirror, server) = (nothing(), Server::start());
    let toml = format!("server = \"http://{}\"\n[host.\"http://{}\"]\n", server.host(), mirror.host());
    let (_folder, hosts) = certs_d(&[("r.example", &toml)]);
    let sink = repository(client().hosts(hosts), "r.example", "app").sink().unwrap();
    let config = Blob::new("{}");
    sink.put_blob(&config.descriptor(), &config).await.unwrap();
    let document = Document { descriptor: manifest(MANIFEST), bytes: MANIFEST.into(), name: Some("1".to_owned()) };
    assert!(sink.put_document(&document).await.unwrap().created);
    sink.commit().await.unwrap();
    let itself = repository(client(), server.host(), "app");
    assert_eq!(resolve_tag(&itself, "1").await.unwrap(), manifest(MANIFEST));
    assert_eq!(mirror.asked(), [""; 0]);

    let toml = format!("server = \"http://{}\"\ncapabilities = [\"pull\", \"resolve\"]\n", server.host());
    let (_folder, hosts) = certs_d(&[("r.example", &toml)]);
    let closed = repository(client().hosts(hosts), "r.example", "app");
    assert_eq!(resolve_tag(&closed, "1").await.unwrap(), manifest(MANIFEST));
    assert_says(closed.sink().map(drop), &["unsupported: ", "no host that may be pushed to"]);
}

#[tokio::test]
async fn a_header_that_is_echoed_is_not_told() {
    let echo =
        Hostile::play(vec![on("HEAD", "*").status(405), on("*", "*").status(400).body("bad key hunter2-hunter2")]);
    let toml = format!("server = \"http://{}\"\n[header]\nx-key = \"hunter2-hunter2\"\n", echo.host());
    let (_folder, hosts) = certs_d(&[("r.example", &toml)]);
    let error = resolve_tag(&repository(client().hosts(hosts), "r.example", "app"), "1").await.unwrap_err();
    assert!(error.to_string().contains("bad key ***"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert_eq!(shown(&echo), ["x-key: hunter2-hunter2"]);
}

#[tokio::test]
async fn a_real_mirror_pulls_through() {
    let upstream = Server::start();
    let layout = fixtures::layout("buildkit-multi");
    upstream.push(&format!("oci:{}:1.4", layout.display()), "app:1");
    let mirror = Server::mirror_of(&upstream);
    let host = upstream.host().to_owned();
    let client = || {
        let (folder, hosts) = buildkitd(&format!("[registry.\"{host}\"]\nmirrors = [\"{}\"]\n", mirror.host()));
        (folder, client().hosts(hosts))
    };
    let (_folder, first) = client();
    let app = repository(first, &host, "app");
    let root = resolve_tag(&app, "1").await.unwrap();
    let whole = app.fetch(&root, &Limits::default()).await.unwrap();
    drop(upstream);
    let (_folder, second) = client();
    let app = repository(second, &host, "app");
    assert_eq!(app.fetch(&root, &Limits::default()).await.unwrap(), whole, "the mirror kept it");
    assert_says(resolve_tag(&app, "absent").await, &["cannot resolve ", &format!("asked before: {}", mirror.host())]);
}

/// A registry with TLS and the fixture in it.
fn tls(authority: &Authority) -> Server {
    let (certificate, key) = authority.sign("server", "IP:127.0.0.1", "30");
    let server = Server::with_tls(&certificate, &key);
    server.push(&format!("oci:{}:2", fixtures::layout("buildkit-single").display()), "app:2");
    server
}

#[tokio::test]
async fn certificates_are_verified_as_each_file_says() {
    let authority = Authority::new();
    let other = Authority::new();
    let server = tls(&authority);
    let host = server.host();
    let (ca, wrong) = (authority.certificate(), other.certificate());
    let (right, foreign) = (ca.display(), wrong.display());
    let docker = tempfile::tempdir().unwrap();
    let folder = docker.path().join(host);
    fs::create_dir(&folder).unwrap();
    fs::copy(&ca, folder.join("ca.crt")).unwrap();
    let unknown = "TLS: invalid peer certificate: ";
    let plain = "answered 400";
    let table: Vec<((Option<TempDir>, Hosts), &str)> = vec![
        (keeping(buildkitd(&format!("[registry.\"{host}\"]\nca = [\"{right}\"]"))), ""),
        (keeping(buildkitd(&format!("[registry.\"{host}\"]\nca = [\"{foreign}\"]"))), unknown),
        (keeping(buildkitd(&format!("[registry.\"{host}\"]\nca = [\"{foreign}\", \"{right}\"]"))), ""),
        (
            keeping(buildkitd(&format!("[registry.\"{host}\"]\nca = [\"nowhere.pem\"]"))),
            "nowhere.pem: there is no such file",
        ),
        (keeping(buildkitd(&format!("[registry.\"{host}\"]\nhttp = false"))), unknown),
        (keeping(buildkitd(&format!("[registry.\"{host}\"]\ninsecure = true"))), ""),
        (keeping(buildkitd("")), plain),
        (keeping(certs_d(&[(host, &format!("server = \"https://{host}\"\nca = \"{right}\""))])), ""),
        (keeping(certs_d(&[(host, &format!("server = \"https://{host}\""))])), unknown),
        (keeping(certs_d(&[(host, "skip_verify = true")])), ""),
        (keeping(certs_d(&[("_default", &format!("[host.\"https://{host}\"]\nskip_verify = true"))])), ""),
        ((None, Hosts::none().hosts_dir(docker.path())), ""),
        ((None, Hosts::none().ca(&ca)), ""),
        ((None, Hosts::none().ca(&wrong)), unknown),
        ((None, Hosts::none().insecure(true)), ""),
        ((None, Hosts::none().insecure(true).plain_http(true)), plain),
    ];
    for (number, ((_folder, hosts), says)) in table.into_iter().enumerate() {
        let found = resolve_tag(&repository(client().hosts(hosts), host, "app"), "2").await;
        match says.is_empty() {
            true => drop(found.unwrap_or_else(|error| panic!("row {number}: {error}"))),
            false => assert!(failure(found.clone()).contains(says), "row {number}: {found:?}"),
        }
    }
}

fn keeping((folder, hosts): (TempDir, Hosts)) -> (Option<TempDir>, Hosts) {
    (Some(folder), hosts)
}

/// Any certificate is taken from the host that the configuration says so of, not from where it sends us.
#[tokio::test]
async fn insecure_is_no_farther_than_the_host() {
    let authority = Authority::new();
    let store = tls(&authority);
    let location = format!("https://{}/v2/app/manifests/2", store.host());
    let front = Hostile::play(vec![on("*", "*").status(307).header("Location", location)]);
    let toml = format!("[registry.\"{}\"]\nhttp = true\ninsecure = true\n", front.host());
    let (_folder, hosts) = buildkitd(&toml);
    let found = resolve_tag(&repository(client().hosts(hosts), &front.host(), "app"), "2").await;
    assert_says(found, &["unavailable: ", "UnknownIssuer"]);
    // But the authorities of a host are also those of its store.
    let toml = format!("[registry.\"{}\"]\nhttp = true\nca = [{:?}]\n", front.host(), authority.certificate());
    let (_folder, hosts) = buildkitd(&toml);
    resolve_tag(&repository(client().hosts(hosts), &front.host(), "app"), "2").await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_its_own_host() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("server", "IP:127.0.0.1", "30");
    let (shown, shown_key) = authority.sign("client", "DNS:client", "30");
    let server = Server::with_client_certificates(&certificate, &key, &authority.certificate());
    let host = server.host();
    let both = authority.certificate().with_file_name("both.pem");
    fs::write(&both, [fs::read(&shown).unwrap(), fs::read(&shown_key).unwrap()].concat()).unwrap();
    let ca = authority.certificate();
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let (ca, shown, shown_key, both) = (quoted(&ca), quoted(&shown), quoted(&shown_key), quoted(&both));
    let pair = format!("[[registry.\"{host}\".keypair]]\nkey = {shown_key}\ncert = {shown}\n");
    for ((_folder, hosts), says) in [
        (buildkitd(&format!("[registry.\"{host}\"]\nca = [{ca}]\n{pair}")), "not-found: "),
        (buildkitd(&format!("[registry.\"{host}\"]\nca = [{ca}]\n")), "unavailable: "),
        (certs_d(&[(host, &format!("ca = {ca}\nclient = [[{shown}, {shown_key}]]"))]), "not-found: "),
        (certs_d(&[(host, &format!("ca = {ca}\nclient = {both}"))]), "not-found: "),
        (certs_d(&[(host, &format!("ca = {ca}\nclient = {ca}"))]), "ca.pem: it has no private key in PEM"),
    ] {
        // The registry is empty: that it says so is all that is asked.
        let found = resolve_tag(&repository(client().hosts(hosts), host, "app"), "1").await;
        assert_says(found, &[says]);
    }
    // A host that sends us there does not have its own certificate shown by us.
    let location = format!("https://{host}/v2/app/manifests/1");
    let front = Hostile::play(vec![on("*", "*").status(307).header("Location", location)]);
    let toml = format!(
        "[registry.\"{0}\"]\nhttp = true\nca = [{ca}]\n[[registry.\"{0}\".keypair]]\nkey = {shown_key}\ncert = {shown}\n",
        front.host()
    );
    let (_folder, hosts) = buildkitd(&toml);
    let found = resolve_tag(&repository(client().hosts(hosts), &front.host(), "app"), "1").await;
    assert_says(found, &["unavailable: "]);
}

/// A token server at a private address is asked if the configuration knows it.
#[tokio::test]
async fn realms_that_are_configured() {
    let tokens = Hostile::play(vec![on("GET", "/token").body(r#"{"token":"t"}"#)]);
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", tokens.host());
    let registry = Hostile::play(vec![
        serve("*", "1", MANIFEST).when("authorization", "Bearer t"),
        on("*", "*").status(401).header("WWW-Authenticate", challenge),
    ]);
    let host = registry.host();
    for (toml, says) in [
        (String::new(), "rule: a bearer realm is not at a private address"),
        (
            format!("[registry.\"{host}\"]\nrealms = [\"127.0.0.1:1\"]"),
            "rule: a bearer realm is not at a private address",
        ),
        (format!("[registry.\"{host}\"]\nrealms = [\"{}\"]", tokens.host()), "no failure"),
    ] {
        let (_folder, hosts) = buildkitd(&toml);
        assert_says(resolve_tag(&repository(client().hosts(hosts), &host, "app"), "1").await, &[says]);
    }
    assert_eq!(tokens.asked(), ["GET /token"]);
}

/// `fixtures/buildx` was written by docker-buildx: a folder as `$BUILDX_CONFIG` is, with the builder `fixture`.
#[tokio::test]
async fn a_builders_registries() {
    let explained =
        super::explained::portolan().variable("BUILDX_CONFIG", fixtures::folder().join("buildx").display().to_string());
    let explain = |line: &str| explained.ok(&format!("explain registry --builder Fixture {line}"));
    assert_eq!(
        explain("docker.io --jq .pull[]"),
        "http://mirror.corp:5000/v2/\nhttps://harbor.corp/v2/proxy/\nhttps://registry-1.docker.io/v2/\n"
    );
    assert_eq!(explain("127.0.0.1:9 --jq .resolve[]"), "http://mirror.corp:5001/v2/\nhttp://127.0.0.1:9/v2/\n");
    let authorities = explain("r.corp --jq .hosts[].authorities[].value");
    assert!(authorities.trim_end().ends_with("instances/fixture(certs/r.corp/ca.pem)"), "{authorities}");
    assert_eq!(explain("r.corp --jq .hosts[].realms[].value"), "10.0.0.7:8443\n");
    let said = explained.fails(1, "explain registry docker.io --builder other");
    assert!(said.contains("there is no builder \"other\"") && said.contains("there is fixture"), "{said}");
}
