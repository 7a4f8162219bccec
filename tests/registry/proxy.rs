//! Proxies: the environment names them, so each play has a process of its own.

use std::process::Command;

use portolan::{Code, Limits};

use super::*;

/// Runs the ignored test `name` of this file in a process with these variables.
fn play(name: &str, variables: &[(&str, &str)]) {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", &format!("proxy::{name}"), "--ignored"]).envs(variables.iter().copied());
    let output = test.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[test]
fn https_goes_through_the_proxy_and_this_machine_never_does() {
    let refuse = |status: u16| on("*", "*").status(status).body("you are ada:pr0xy-pa55word");
    for scene in [refuse(407), refuse(403), refuse(502), on("*", "*").cut_head(5), on("*", "*").body("no TLS")] {
        let proxy = Hostile::play(vec![scene]);
        let url = format!("http://ada:pr0xy-pa55word@{}", proxy.host());
        play("ask_elsewhere_and_here", &[("https_proxy", &url), ("http_proxy", &url), ("HTTPS_PROXY", &url)]);
        let asked = proxy.asked();
        assert!(!asked.is_empty() && asked.iter().all(|asked| asked == "CONNECT registry.invalid:443"), "{asked:?}");
    }
}

#[tokio::test]
#[ignore = "needs the environment that the test above makes"]
async fn ask_elsewhere_and_here() {
    let elsewhere = repository(client(), "registry.invalid", "app");
    let error = resolve_tag(&elsewhere, "1").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("pr0xy") && !shown.contains("YWRhOnByMHh5LXBhNTV3b3Jk"), "{shown}");

    let (registry, here) = app(vec![serve("GET", "*", MANIFEST)]);
    assert_eq!(here.fetch(&manifest(MANIFEST), &Limits::default()).await.unwrap(), MANIFEST);
    assert_eq!(registry.requests().len(), 1);
}
