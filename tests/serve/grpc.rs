//! The gateway over gRPC, asked by grpcurl, which knows of it what reflection tells.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_oci::Digest;
use portolan_tests::registry::{Registry, get};
use portolan_tests::serving::{Serving, ask};
use portolan_tests::tools;
use serde_json::{Value, json};

use super::{before, cli, registry};

/// What a call answered: its messages, or what it failed with.
fn call(serving: &Serving, headers: &[&str], method: &str, messages: &[Value]) -> Result<Vec<Value>, Value> {
    let program = tools::find("grpcurl").expect("grpcurl, which `make servers` builds");
    let mut grpcurl = Command::new(program);
    grpcurl.args(["-plaintext", "-format-error", "-max-time", "60"]);
    for header in headers {
        grpcurl.args(["-H", header]);
    }
    let sent: String = messages.iter().map(Value::to_string).collect();
    grpcurl.args(["-d", &sent, serving.host(), &format!("portolan.v1.Gateway/{method}")]);
    let output = grpcurl.output().unwrap();
    let parsed = |bytes: &[u8]| -> Vec<Value> {
        serde_json::Deserializer::from_slice(bytes).into_iter().map_while(Result::ok).collect()
    };
    match output.status.success() {
        true => Ok(parsed(&output.stdout)),
        false => {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let error = parsed(&output.stderr).pop();
            Err(error.unwrap_or_else(|| panic!("grpcurl {method} {sent}: {told}")))
        }
    }
}

fn one(answer: Result<Vec<Value>, Value>) -> Value {
    answer.unwrap().pop().unwrap()
}

/// The bytes of a stream's chunks.
fn bytes(messages: &[Value]) -> Vec<u8> {
    let chunks = messages.iter().filter_map(|message| message["chunk"].as_str());
    chunks.flat_map(|chunk| STANDARD.decode(chunk).unwrap()).collect()
}

#[test]
fn a_build_host_resolves_and_fetches() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull *");
    let host = registry.host();
    let name = format!("{host}/app:1.4");
    let found = one(call(&serving, &[], "Resolve", &[json!({ "reference": name })]));
    let (_, index) = get(host, "/v2/app/manifests/1.4");
    assert_eq!(found["repository"], format!("{host}/app"));
    assert_eq!(found["root"]["digest"], Digest::sha256(&index).as_str());

    let fetched =
        call(&serving, &[], "Fetch", &[json!({ "repository": found["repository"], "descriptor": found["root"] })]);
    let fetched = fetched.unwrap();
    assert_eq!(fetched[0]["descriptor"], found["root"]);
    assert!(bytes(&fetched) == index);
    let part = json!({
        "repository": found["repository"], "descriptor": { "digest": found["root"]["digest"] }, "offset": 10, "length": 20
    });
    assert_eq!(bytes(&call(&serving, &[], "Fetch", &[part]).unwrap()), index[10..30]);

    let wanted = json!({ "reference": name, "platform": "linux/arm64", "parts": ["PART_CONFIG", "PART_MANIFEST"] });
    let image = one(call(&serving, &[], "ResolveImage", &[wanted]));
    assert_eq!((&image["platform"], image["platforms"].as_array().unwrap().len()), (&json!("linux/arm64"), 4));
    assert_eq!(image["index"], json!({ "descriptor": found["root"] }));
    let config = STANDARD.decode(image["config"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(Digest::sha256(&config).as_str(), image["config"]["descriptor"]["digest"]);
    assert_eq!(serde_json::from_slice::<Value>(&config).unwrap()["architecture"], "arm64");

    let tags = one(call(&serving, &[], "ListTags", &[json!({ "repository": format!("{host}/app") })]));
    assert_eq!(tags, json!({ "tags": ["1.4"] }));
}

#[test]
fn a_frontend_is_run_by_its_name() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull * --push *");
    let name = format!("{}/app:1.4", registry.host());
    let arguments = |pairs: &[(&str, &str)]| -> Value {
        pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let run = |frontend: &str, pairs: &[(&str, &str)]| {
        call(&serving, &[], "Run", &[json!({ "frontend": frontend, "arguments": arguments(pairs) })])
    };
    let said = run("layers", &[("ref", &name), ("format", "json")]).unwrap();
    assert_eq!(said[0]["answer"]["mediaType"], "application/json");
    let expected = cli.ok(&format!("layers {name} --plain-http --format json"));
    assert_eq!(String::from_utf8(bytes(&said)).unwrap().trim(), expected.trim());

    let target = format!("{}/copy:1", registry.host());
    let said = run("copy", &[("src", &name), ("dst", &target)]).unwrap();
    assert!(said.iter().any(|part| part["progress"]["what"].is_string()), "{said:?}");
    assert_eq!(get(registry.host(), "/v2/copy/manifests/1").1, get(registry.host(), "/v2/app/manifests/1.4").1);

    let failed = run("nope", &[]).unwrap_err();
    assert_eq!(failed["code"], 5);
    let failed = run("layers", &[("ref", &format!("{}/app:2", registry.host()))]).unwrap_err();
    assert_eq!((&failed["code"], &failed["details"][0]["code"]), (&json!(5), &json!("not-found")));
}

#[test]
fn what_is_pushed_is_there_or_nowhere() {
    let (cli, registry) = (cli(), Registry::start());
    let serving = before(&cli, registry.host(), "--push *");
    let repository = format!("{}/app", registry.host());
    let push = |media_type: &str, said: &[u8], sent: &[u8], name: &str| {
        let start = json!({ "start": {
            "repository": repository, "name": name,
            "descriptor": { "mediaType": media_type, "digest": Digest::sha256(said).as_str(), "size": said.len() },
        }});
        let (one, other) = sent.split_at(sent.len() / 2);
        let chunk = |bytes: &[u8]| json!({ "chunk": STANDARD.encode(bytes) });
        call(&serving, &[], "Push", &[start, chunk(one), chunk(other)])
    };
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let config_type = "application/vnd.oci.image.config.v1+json";
    assert_eq!(one(push(config_type, config, config, "")), json!({ "created": true }));
    assert_eq!(one(push(config_type, config, config, "")), json!({}), "it was there already");
    let failed = push(config_type, b"{\"said\":1}", b"{\"sent\":1}", "").unwrap_err();
    assert_eq!(failed["details"][0]["code"], "digest-mismatch", "{failed}");
    assert_eq!(get(registry.host(), &format!("/v2/app/blobs/{}", Digest::sha256(b"{\"said\":1}"))).0, 404);
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": manifest_type, "layers": [], "config": {
        "mediaType": config_type, "digest": Digest::sha256(config).as_str(), "size": config.len() } })
    .to_string();
    assert_eq!(one(push(manifest_type, manifest.as_bytes(), manifest.as_bytes(), "1")), json!({ "created": true }));
    assert_eq!(get(registry.host(), "/v2/app/manifests/1").1, manifest.as_bytes());
    let other = manifest.replace('2', "3");
    let failed = push(manifest_type, manifest.as_bytes(), other.as_bytes(), "2").unwrap_err();
    assert_eq!(failed["details"][0]["code"], "digest-mismatch", "{failed}");
    assert_eq!(get(registry.host(), "/v2/app/manifests/2").0, 404);
}

#[test]
fn errors_tell_programs_what_they_are() {
    let (cli, registry) = (cli(), registry());
    let file = cli.home().join("callers.toml");
    let host = registry.host();
    let text = format!(
        "[anybody]\npull = [\"{host}/open/*\"]\n[caller.ci]\nsecret = \"{}\"\npull = [\"*\"]\n",
        Digest::sha256(b"secret")
    );
    fs::write(&file, text).unwrap();
    let serving = before(&cli, registry.host(), &format!("--callers {}", file.display()));
    let resolve =
        |headers: &[&str], reference: &str| call(&serving, headers, "Resolve", &[json!({ "reference": reference })]);
    let ci = ["authorization: Bearer secret"];
    assert!(resolve(&ci, &format!("{host}/app:1.4")).is_ok());
    let nothing: [&str; 0] = [];
    for (headers, reference, status, code) in [
        (&nothing[..], format!("{host}/app:1.4"), 7, Some("denied")),
        (&["authorization: Bearer wrong"][..], format!("{host}/app:1.4"), 16, None),
        (&ci[..], format!("{host}/app:2"), 5, Some("not-found")),
        (&ci[..], "App".to_owned(), 3, Some("invalid-reference")),
        (&ci[..], "oci-layout://store".to_owned(), 3, Some("invalid-reference")),
        (&ci[..], "127.0.0.1:1/app:1".to_owned(), 14, Some("unavailable")),
    ] {
        let failed = resolve(headers, &reference).unwrap_err();
        assert_eq!(failed["code"], status, "{reference}: {failed}");
        assert_eq!(failed["details"][0]["code"].as_str(), code, "{reference}: {failed}");
    }
    let failed = call(&serving, &[], "Push", &[json!({ "chunk": "" })]).unwrap_err();
    assert_eq!(failed["code"], 3, "{failed}");
}

/// Whose health is watched ends as fast as who is not watched.
#[test]
fn who_watches_its_health_is_told_of_its_end() {
    let (cli, registry) = (cli(), registry());
    let mut serving = before(&cli, registry.host(), "--pull *");
    let mut grpcurl = Command::new(tools::find("grpcurl").expect("grpcurl, which `make servers` builds"));
    grpcurl.args(["-plaintext", "-max-time", "60", serving.host(), "grpc.health.v1.Health/Watch"]);
    let mut watching = grpcurl.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(watching.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("\"SERVING\"")));
    serving.signal("TERM");
    assert!(said.any(|line| line.contains("\"NOT_SERVING\"")));
    let _ = watching.wait();
    assert_eq!(serving.ends(), 0);
    assert!(!serving.said("after 30 s"), "it had its thirty seconds");
}

#[test]
fn how_calls_end_is_counted() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull *");
    call(&serving, &[], "Resolve", &[json!({ "reference": format!("{}/app:1.4", registry.host()) })]).unwrap();
    call(&serving, &[], "Resolve", &[json!({ "reference": format!("{}/app:2", registry.host()) })]).unwrap_err();
    let metrics = ask(serving.address(1), "GET", "/metrics", &[], b"").text();
    for status in ["OK", "NOT_FOUND"] {
        let counted = format!("door=\"grpc\",operation=\"Resolve\",status=\"{status}\"}} 1\n");
        assert!(metrics.contains(&counted), "{metrics}");
    }
}
