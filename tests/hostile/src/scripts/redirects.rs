//! Point 10: registries that send us somewhere else. Each has been shown the password before, and gives us a cookie to take
//! along: neither may arrive anywhere else.

use super::things::{BLOB, MANIFEST, TOKEN, bytes, fetch_blob, guard, root, serve, stream_blob};
use crate::scene::{Scene, on};
use crate::script::Class::{Forbidden, Malformed, NotFound, Refused, Unauthorized, Unavailable};
use crate::script::{Answer, Ask, Script};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

pub(super) fn scripts() -> Vec<Script> {
    [followed(), refused(), chains(), strangers(), writes()].concat()
}

fn sends(method: &'static str, path: &str, status: u16, location: &str) -> Scene {
    let cookie = format!("session={TOKEN}; Path=/; Domain=127.0.0.1");
    on(method, path).status(status).header("Location", location).header("Set-Cookie", cookie)
}

/// Where a redirect may lead, by every status and for every question.
fn followed() -> Vec<Script> {
    let mut scripts = Vec::new();
    for status in STATUSES {
        for (name, what, location, away) in [
            ("path", "to another path", "/moved/here", false),
            ("relative", "to a relative path", "../../../moved/here", false),
            ("itself", "to its full address", "http://{host}/moved/here", false),
            ("other-port", "to another port", "http://{elsewhere}/moved/here?signature=x#fragment", true),
            ("other-name", "to another name", "http://localhost:{elsewhere-port}/moved/here", true),
        ] {
            for (asked, ask, scene) in [
                ("head", Ask::ResolveTag("1"), serve("HEAD", "1", MANIFEST)),
                ("manifest", super::things::fetch_manifest(), on("GET", "*").body(MANIFEST)),
                ("stream", stream_blob(), on("GET", "*").body(BLOB)),
            ] {
                // Each way of following is asked for by each status once; all three questions by those that are in use.
                if asked == "manifest" && !matches!(status, 302 | 307) {
                    continue;
                }
                let target = Scene { path: "/moved/here".to_owned(), ..scene };
                let (here, there) = if away { (Vec::new(), vec![target]) } else { (vec![target], Vec::new()) };
                let what = format!("A {status} leads {what}.");
                let script = Script::new(10, format!("redirect-{status}-{name}-{asked}"), what, ask)
                    .play([guard()])
                    .play(here)
                    .play([sends("*", "/v2/*", status, location)]);
                let script = if away { script.elsewhere(there) } else { script };
                scripts.push(match asked {
                    "head" => script.answers(root()),
                    "manifest" => script.gives(MANIFEST),
                    _ => script.gives(BLOB),
                });
            }
        }
    }
    scripts
}

/// Where no redirect may lead.
fn refused() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, location) in [
        ("empty", ""),
        ("blank", "   "),
        ("no-host", "http://"),
        ("half-an-address", "http://["),
        ("port-99999", "http://127.0.0.1:99999/"),
        ("file", "file:///etc/passwd"),
        ("gopher", "gopher://{elsewhere}/"),
        ("data", "data:text/plain,x"),
        ("javascript", "javascript:alert(1)"),
        ("unix", "unix:///run/docker.sock"),
        ("userinfo", "http://ada:x@{elsewhere}/"),
        ("user-alone", "http://ada@{elsewhere}/"),
        ("userinfo-of-itself", "http://ada:x@{host}/moved"),
        ("metadata", "http://169.254.169.254/latest/meta-data"),
        ("metadata-as-a-number", "http://2852039166/latest/meta-data"),
        ("metadata-in-ipv6", "http://[::ffff:169.254.169.254]/latest"),
        ("metadata-of-aws-in-ipv6", "http://[fd00:ec2::254]/latest"),
        ("link-local", "http://[fe80::1]/"),
        ("unspecified", "http://0.0.0.0:{elsewhere-port}/"),
        ("unspecified-in-ipv6", "http://[::]:{elsewhere-port}/"),
        ("multicast", "http://224.0.0.1/"),
        ("broadcast", "http://255.255.255.255/"),
    ] {
        for (asked, ask, status) in [
            ("resolve", Ask::ResolveTag("1"), 302),
            ("fetch", fetch_blob(), 307),
            ("stream", stream_blob(), 301),
            ("push", Ask::PushBlob(bytes(BLOB)), 308),
        ] {
            // What must not happen is the same for all; one of the four asks in every way, the others in some.
            if asked != "fetch" && !["empty", "file", "userinfo", "metadata", "unspecified", "no-host"].contains(&name)
            {
                continue;
            }
            let what = format!("A {status} leads to where nobody may be led: {}.", name.replace('-', " "));
            let script = Script::new(10, format!("redirect-refused-{name}-{asked}"), what, ask);
            let absent = on("HEAD", "/v2/app/blobs/*").status(404);
            let script = if asked == "push" { script.play([guard(), absent]) } else { script.play([guard()]) };
            let script = script.play([sends("*", "/v2/*", status, location)]).bait([on("*", "*").body("{}")]);
            scripts.push(script.fails(&[Malformed]).for_good().requests(4).never("GET /moved"));
        }
    }
    for status in STATUSES {
        let what = format!("A {status} does not say where to.");
        let script = Script::new(10, format!("redirect-{status}-without-location"), what, fetch_blob());
        scripts
            .push(script.play([on("*", "*").status(status)]).fails(&[Malformed]).status(status).for_good().requests(1));
    }
    for status in [300, 304, 305, 306, 309] {
        let what = format!("A {status} has a Location, and is no redirect of a question.");
        let script = Script::new(10, format!("no-redirect-{status}"), what, fetch_blob());
        let scene = sends("*", "*", status, "http://{elsewhere}/blob");
        scripts.push(
            script
                .play([scene])
                .bait([on("*", "*").body(BLOB)])
                .fails(&[Malformed, Refused])
                .status(status)
                .requests(2),
        );
    }
    let what = "A redirect leads from http to https, where nobody speaks TLS.";
    let script = Script::new(10, "redirect-to-https-that-is-none", what, fetch_blob()).play([guard()]);
    scripts
        .push(script.play([sends("*", "*", 307, "https://{elsewhere}/blob")]).hangs().fails(&[Unavailable, Malformed]));
    let what = "A redirect leads to a port where nobody listens.";
    let script = Script::new(10, "redirect-to-nobody", what, fetch_blob())
        .play([guard(), sends("*", "*", 307, "http://127.0.0.1:1/")]);
    scripts.push(script.fails(&[Unavailable]).retryable());
    scripts
}

/// Redirects after redirects.
fn chains() -> Vec<Script> {
    let chain = |hops: usize| {
        let mut scenes = vec![guard(), sends("GET", "/v2/*", 307, "/hop/1")];
        scenes.extend((1..hops).map(|hop| sends("GET", &format!("/hop/{hop}"), 307, &format!("/hop/{}", hop + 1))));
        scenes.push(on("GET", format!("/hop/{hops}")).body(BLOB));
        scenes
    };
    let script = |name: &str, what: &str, ask: Ask| Script::new(10, name, what, ask);
    let mut scripts = vec![
        script("3-hops", "A blob is three redirects away.", fetch_blob()).play(chain(3)).gives(BLOB),
        script("11-hops", "A blob is eleven redirects away.", fetch_blob())
            .play(chain(11))
            .fails(&[Malformed])
            .for_good()
            .requests(12),
        script("1000-hops", "A blob is a thousand redirects away.", stream_blob())
            .play(chain(1000))
            .fails(&[Malformed])
            .requests(25),
    ];
    for (name, ask) in [
        ("resolve", Ask::ResolveTag("1")),
        ("fetch", fetch_blob()),
        ("stream", stream_blob()),
        ("part", Ask::Part { of: super::things::blob(BLOB), offset: 1, length: 2 }),
        ("tags", Ask::Tags),
        ("referrers", Ask::Referrers(portolan_oci::Digest::sha256(b"x"), None)),
        ("push", Ask::PushBlob(bytes(BLOB))),
        ("push-manifest", Ask::PushManifest(portolan_oci::media_type::OCI_MANIFEST, bytes(MANIFEST), Some("1"))),
    ] {
        let itself =
            script(&format!("redirect-to-itself-{name}"), "Every question is sent back to itself.", ask.clone());
        let away =
            script(&format!("redirect-back-and-forth-{name}"), "Two servers send every question to each other.", ask);
        scripts.extend([
            itself.play([guard(), sends("*", "*", 307, "{target}")]).fails(&[Malformed]).for_good().requests(25),
            away.play([guard(), sends("*", "*", 307, "http://{elsewhere}{target}")])
                .elsewhere([sends("*", "*", 307, "http://{registry}{target}")])
                // Whoever comes back is a stranger, and is asked who it is.
                .fails(&[Malformed, Unauthorized])
                .for_good()
                .requests(25),
        ]);
    }
    scripts
}

/// Servers that we are sent to, and that want more than the question.
fn strangers() -> Vec<Script> {
    let script = |name: &str, what: &str| {
        Script::new(10, name, what, fetch_blob())
            .play([guard()])
            .play([on("GET", "/shown").status(400).body("you showed it")])
    };
    let away = || sends("GET", "/v2/*", 302, "http://{elsewhere}/store");
    let challenge = |challenge: &str| on("*", "*").status(401).header("WWW-Authenticate", challenge);
    let mut scripts = Vec::new();
    for (name, text) in [
        ("basic", "Basic realm=\"registry\""),
        ("bearer", "Bearer realm=\"http://{host}/token\",service=\"x\""),
        ("bearer-of-the-registry", "Bearer realm=\"http://{registry}/token\",service=\"x\""),
        ("both", "Bearer realm=\"http://{host}/token\", Basic realm=\"registry\""),
        ("negotiate", "Negotiate"),
    ] {
        let what = format!("A store that we are sent to asks who we are ({}).", name.replace('-', " "));
        let script = script(&format!("store-that-asks-who-we-are-{name}"), &what).play([away()]);
        scripts.push(
            script.elsewhere([challenge(text)]).fails(&[Unauthorized]).status(401).requests(4).never("GET /token"),
        );
    }
    let back =
        script("there-and-back-again", "A store sends us back to the registry, where nothing is to be shown then.");
    let back = Script {
        registry: vec![on("GET", "/back").without("authorization").body(BLOB), on("GET", "/back").status(400), guard()],
        ..back
    };
    scripts.push(back.play([away()]).elsewhere([sends("*", "*", 302, "http://{registry}/back")]).gives(BLOB));
    for (name, what, scene, classes) in [
        ("that-refuses", "A store refuses.", on("*", "*").status(403), &[Forbidden][..]),
        ("that-has-nothing", "A store has not the blob.", on("*", "*").status(404), &[NotFound]),
        ("that-is-down", "A store is down.", on("*", "*").status(503), &[Unavailable]),
        (
            "that-sends-us-to-metadata",
            "A store sends us to the metadata service.",
            sends("*", "*", 302, "http://169.254.169.254/"),
            &[Malformed],
        ),
        (
            "that-sends-us-to-a-file",
            "A store sends us to a file.",
            sends("*", "*", 302, "file:///etc/passwd"),
            &[Malformed],
        ),
        (
            "that-sends-us-with-userinfo",
            "A store sends us on with a password in the URL.",
            sends("*", "*", 302, "http://a:b@{registry}/shown"),
            &[Malformed],
        ),
    ] {
        let script = script(&format!("store-{name}"), what).play([away()]);
        scripts.push(script.elsewhere([scene]).fails(classes).requests(40).never("GET /shown"));
    }
    scripts
}

/// Redirects of what is written: only 307 and 308 leave it what it is.
fn writes() -> Vec<Script> {
    let push = || Ask::PushBlob(bytes(BLOB));
    let begins = || on("POST", "/v2/app/blobs/uploads/").status(202).header("Location", "/up/1");
    let absent = || on("HEAD", "/v2/app/*").status(404);
    let mut scripts = Vec::new();
    for status in STATUSES {
        let keeps = matches!(status, 307 | 308);
        for (name, away) in [("another-path", false), ("another-port", true)] {
            let (target, what) = match away {
                true => ("http://{elsewhere}/moved", "another server"),
                false => ("/moved", "another path"),
            };
            let script = |step: &str| {
                let what = format!("The {step} of an upload is sent to {what} with a {status}.");
                Script::new(10, format!("redirect-of-a-{step}-{status}-to-{name}"), what, push())
                    .play([guard(), absent()])
            };
            let moved = |method, scene: Scene| Scene { method, path: "/moved".to_owned(), ..scene };
            let first = moved("POST", on("*", "*").status(202).header("Location", "/up/1"));
            let last = moved("PUT", on("*", "*").status(201));
            let posted = script("post").play([sends("POST", "/v2/*", status, target), on("PUT", "/up/1").status(201)]);
            let put = script("put").play([begins(), sends("PUT", "/up/1", status, target)]);
            for (script, scene) in [(posted, first), (put, last)] {
                let script = match away {
                    true => script.elsewhere([scene, on("PUT", "/up/1").status(201)]),
                    false => script.play([scene]),
                };
                let script = script.never("GET /moved").requests(15);
                scripts.push(if keeps {
                    script.answers(Answer::Stored)
                } else {
                    script.fails(&[Malformed]).for_good()
                });
            }
        }
    }
    scripts
}
