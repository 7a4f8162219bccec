//! Point 17: lists of tags and of referrers, and where their pages lead.

use portolan_oci::{Digest, media_type};

use super::things::{TOKEN, digest, guard};
use crate::scene::{Scene, on};
use crate::script::Class::{Forbidden, Malformed, NotFound, RateLimited, Refused, TooLarge, Unauthorized, Unavailable};
use crate::script::{Answer, Ask, Script};

pub(super) fn scripts() -> Vec<Script> {
    [tags(), links(), referrers()].concat()
}

fn page(tags: &str) -> Scene {
    on("GET", "/v2/app/tags/list").body(format!(r#"{{"name":"app","tags":{tags}}}"#))
}

fn listed(tags: &[&str]) -> Answer {
    Answer::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect())
}

fn next(scene: Scene, link: &str) -> Scene {
    scene.header("Link", format!("<{link}>; rel=\"next\""))
}

fn script(name: &str, what: &str) -> Script {
    Script::new(17, name, what, Ask::Tags).play([guard()])
}

fn tags() -> Vec<Script> {
    let mut scripts = Vec::new();
    let many = |tag: &str, count: usize| format!("[{}]", vec![tag; count].join(","));
    for (name, tags, right) in [
        ("null", "null".to_owned(), &[][..]),
        ("none", "[]".to_owned(), &[]),
        ("in-no-order", r#"["b","a","c"]"#.to_owned(), &["b", "a", "c"]),
        ("twice", r#"["a","b","a"]"#.to_owned(), &["a", "b"]),
        ("the-same-100000-times", many("\"a\"", 100_000), &["a"]),
        ("with-slashes", r#"["a","b/c","../../etc/passwd","d"]"#.to_owned(), &["a", "d"]),
        ("with-control-characters", r#"["a","\u001b[2J","b\nc","\u0000"]"#.to_owned(), &["a"]),
        ("empty", r#"["","a"]"#.to_owned(), &["a"]),
        ("like-digests", r#"["sha256:00","a"]"#.to_owned(), &["a"]),
        ("longer-than-128", format!(r#"["{}","a"]"#, "x".repeat(129)), &["a"]),
        ("with-a-leading-dot", r#"[".a","-b","c"]"#.to_owned(), &["c"]),
    ] {
        let what = format!("A list of tags is unusual: {}.", name.replace('-', " "));
        scripts.push(script(&format!("tags-{name}"), &what).play([page(&tags)]).answers(listed(right)));
    }
    for (name, body) in [
        ("empty-body", String::new()),
        ("a-number", "7".to_owned()),
        ("a-list", r#"["a","b"]"#.to_owned()),
        ("a-list-of-a-list", r#"[["a","b"]]"#.to_owned()),
        ("numbers", r#"{"tags":[1,2]}"#.to_owned()),
        ("a-text", r#"{"tags":"a"}"#.to_owned()),
        ("an-object", r#"{"tags":{"a":1}}"#.to_owned()),
        ("nested-100000-deep", format!(r#"{{"tags":{}"#, "[".repeat(100_000))),
        ("html", "<html>".to_owned()),
        ("cut", r#"{"tags":["a","#.to_owned()),
    ] {
        let what = format!("A list of tags is none: {}.", name.replace('-', " "));
        let body = on("GET", "/v2/app/tags/list").body(body);
        scripts.push(script(&format!("no-tags-{name}"), &what).play([body]).fails(&[Malformed]).for_good());
    }
    let million = page(&many("\"tag\"", 1_000_000));
    scripts.push(
        script("tags-a-million", "A list has a million tags on one page.")
            .play([million])
            .fails(&[TooLarge])
            .for_good(),
    );
    for (status, class) in
        [(401, Unauthorized), (403, Forbidden), (404, NotFound), (405, Refused), (429, RateLimited), (500, Unavailable)]
    {
        let what = format!("A list of tags is answered {status}.");
        let scene = on("GET", "/v2/app/tags/list").status(status);
        scripts.push(script(&format!("tags-answered-{status}"), &what).play([scene]).fails(&[class]).status(status));
        let what = format!("The second page of a list of tags is answered {status}: half a list is none.");
        let scenes = [next(page("[\"a\"]"), "?last=a").once(), on("GET", "/v2/app/tags/list").status(status)];
        scripts
            .push(script(&format!("second-page-answered-{status}"), &what).play(scenes).fails(&[class]).status(status));
    }
    scripts
}

/// Where a list goes on.
fn links() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, link) in [
        ("path", "/v2/app/tags/list?last=a"),
        ("query-alone", "?last=a"),
        ("full", "http://{host}/v2/app/tags/list?last=a"),
        ("opaque", "/v2/app/tags/list?x=%2F..%2F&y=http://evil.example"),
    ] {
        let what = format!("A list goes on where it may: {}.", name.replace('-', " "));
        let scenes = [next(page("[\"a\"]"), link).once(), page("[\"b\"]")];
        scripts.push(script(&format!("link-{name}"), &what).play(scenes).answers(listed(&["a", "b"])).requests(4));
    }
    for (name, link) in [
        ("other-port", "http://{elsewhere}/v2/app/tags/list?last=a"),
        ("other-name", "http://localhost:{registry-port}/v2/app/tags/list?last=a"),
        ("without-a-scheme", "//{elsewhere}/v2/app/tags/list?last=a"),
        ("https", "https://{host}/v2/app/tags/list?last=a"),
        ("userinfo", "http://ada:x@{host}/v2/app/tags/list?last=a"),
        ("metadata", "http://169.254.169.254/v2/app/tags/list?last=a"),
        ("file", "file:///v2/app/tags/list?last=a"),
        ("another-repository", "/v2/secret/tags/list?last=a"),
        ("another-repository-by-dots", "/v2/app/../secret/tags/list?last=a"),
        ("catalog", "/v2/_catalog?last=a"),
        ("itself", "{target}"),
        ("beginning", "/v2/app/tags/list"),
        ("rubbish", "http://["),
    ] {
        let what = format!("A list goes on where it may not: {}.", name.replace('-', " "));
        let script = script(&format!("link-{name}"), &what).play([next(page("[\"a\"]"), link)]).bait([page("[\"b\"]")]);
        scripts
            .push(script.fails(&[Malformed]).for_good().never("GET /v2/secret*").never("GET /v2/_catalog").requests(3));
    }
    // What is no link to a next page is none.
    for (name, header) in [
        ("of-another-relation", "<http://{elsewhere}/>; rel=\"prev\""),
        ("without-a-relation", "<http://{elsewhere}/>"),
        ("without-brackets", "/v2/app/tags/list?last=a; rel=\"next\""),
        ("half-a-bracket", "<?last=a; rel=\"next\""),
        ("empty", ""),
        ("commas", ",,,,"),
    ] {
        let what = format!("A Link leads nowhere: {}.", name.replace('-', " "));
        let script = script(&format!("link-{name}"), &what)
            .play([page("[\"a\"]").header("Link", header)])
            .bait([page("[\"b\"]")]);
        scripts.push(script.answers(listed(&["a"])).fails(&[Malformed]).requests(3));
    }
    let long = format!("?last={}", "x".repeat(64 << 10));
    scripts.extend([
        script("link-of-64-kib", "A Link is 64 KiB long.")
            .play([next(page("[\"a\"]"), &long).once(), page("[\"b\"]")])
            .answers(listed(&["a", "b"]))
            .fails(&[Malformed, Unavailable, TooLarge]),
        script("link-without-end", "Every page has a next one.")
            .play([next(page("[\"a\"]"), "?{query}x")])
            .fails(&[TooLarge, Malformed, Unavailable])
            .requests(1_100),
        script("link-in-a-circle", "Three pages lead to each other.")
            .play((0..400).flat_map(|_| ["?p=1", "?p=2", "?p=3"]).map(|link| next(page("[]"), link).once()))
            .fails(&[TooLarge, Malformed])
            .requests(1_100),
        script("short-pages", "Empty pages are not the last.")
            .play([next(page("[]"), "?p=1").once(), next(page("[]"), "?p=2").once(), page("[\"a\"]")])
            .answers(listed(&["a"])),
        script("redirected-page", "A list is redirected to another server, which has no password of ours.")
            .play([on("GET", "/v2/app/tags/list")
                .status(307)
                .header("Location", "http://{elsewhere}/list")
                .header("Set-Cookie", format!("s={TOKEN}"))])
            .elsewhere([on("GET", "/list").body(r#"{"tags":["a"]}"#)])
            .answers(listed(&["a"])),
    ]);
    scripts
}

fn referrers() -> Vec<Script> {
    let subject = Digest::sha256(b"subject");
    let script = |name: &str, what: &str, artifact_type| {
        Script::new(17, format!("referrers-{name}"), what, Ask::Referrers(subject.clone(), artifact_type))
            .play([guard()])
    };
    let entry = |of: &str, artifact_type: &str| {
        let (media_type, digest) = (media_type::OCI_MANIFEST, digest(of));
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":1,"artifactType":"{artifact_type}"}}"#)
    };
    let index = |entries: &str| {
        format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":{entries}}}"#, media_type::OCI_INDEX)
    };
    let list = |entries: &str| {
        on("GET", "/v2/app/referrers/*").header("Content-Type", media_type::OCI_INDEX).body(index(entries))
    };
    let (a, b) = (entry("a", "sbom"), entry("b", "signature"));
    let found = |of: &[&str]| Answer::Referrers(of.iter().map(|of| Digest::sha256(of.as_bytes())).collect());
    let tag = || {
        on("GET", format!("/v2/app/manifests/sha256-{}", subject.hex())).header("Content-Type", media_type::OCI_INDEX)
    };
    let many = |count: usize| {
        format!(
            "[{}]",
            (0..count)
                .map(|number| format!(r#"{{"mediaType":"a/b","digest":"{}","size":1}}"#, digest(number.to_string())))
                .collect::<Vec<_>>()
                .join(",")
        )
    };
    let mut scripts = vec![
        script("unfiltered", "A registry ignores the artifact type that was asked for.", Some("sbom"))
            .play([list(&format!("[{a},{b}]"))])
            .answers(found(&["a"])),
        script("filtered-it-says", "A registry says that it filtered, and did not.", Some("sbom"))
            .play([list(&format!("[{a},{b}]")).header("OCI-Filters-Applied", "artifactType")])
            .answers(found(&["a"])),
        script("twice", "A referrer is listed twice.", None)
            .play([list(&format!("[{a},{b},{a}]"))])
            .answers(found(&["a", "b"])),
        script("null", "Referrers are null, as olareg wrote it.", None).play([list("null")]).answers(found(&[])),
        script("by-tag", "A registry lists no referrers, and who pushed them kept them under a tag.", None)
            .play([tag().body(index(&format!("[{a}]")))])
            .answers(found(&["a"])),
        script("neither", "A registry has neither a list nor a tag of referrers.", None).answers(found(&[])),
        script("200000", "There are more referrers than fit.", None).play([list(&many(40_000))]).fails(&[TooLarge]),
        script("20000-in-pages", "There are more referrers than anybody reads, a few on each page.", None)
            .play((0..30).map(|page| {
                let entries =
                    (0..1000).map(|number| entry(&format!("{page} {number}"), "x")).collect::<Vec<_>>().join(",");
                next(list(&format!("[{entries}]")), &format!("?page={page}")).once()
            }))
            .fails(&[TooLarge]),
        script("pages-without-end", "Every page of referrers has a next one.", None)
            .play([next(list("[]"), "?{query}x")])
            .fails(&[TooLarge, Malformed, Unavailable])
            .requests(1_100),
        script("link-away", "The second page of referrers is at another server.", None)
            .play([next(list("[]"), "http://{elsewhere}/")])
            .bait([list("[]")])
            .fails(&[Malformed]),
    ];
    for (name, body) in [
        ("html", "<html>".to_owned()),
        ("empty", String::new()),
        ("a-list", "[]".to_owned()),
        ("no-index", "{}".to_owned()),
        ("a-text-for-entries", index("\"all\"")),
        ("numbers-for-entries", index("[1,2]")),
        ("lists-for-entries", index(&format!(r#"[["a/b","{}",1]]"#, digest("x")))),
        ("entries-without-a-digest", index(r#"[{"mediaType":"a/b","size":1}]"#)),
        ("entries-without-a-type", index(&format!(r#"[{{"digest":"{}","size":1}}]"#, digest("x")))),
        ("a-key-twice", index("[]").replace('}', ",\"manifests\":[]}")),
    ] {
        let what = format!("A list of referrers is none: {}.", name.replace('-', " "));
        let scene = on("GET", "/v2/app/referrers/*").header("Content-Type", media_type::OCI_INDEX);
        let script = script(&format!("none-{name}"), &what, None).play([scene.body(body.clone())]);
        scripts.push(script.fails(&[Malformed]).for_good());
        let script = Script::new(
            17,
            format!("referrers-tag-none-{name}"),
            format!("Under the referrers tag is no list: {}.", name.replace('-', " ")),
            Ask::Referrers(subject.clone(), None),
        );
        scripts.push(script.play([tag().body(body)]).fails(&[Malformed]).for_good());
    }
    for (status, class) in
        [(401, Unauthorized), (403, Forbidden), (429, RateLimited), (500, Unavailable), (503, Unavailable)]
    {
        let what = format!("A list of referrers is answered {status}: that is not none.");
        let scene = on("GET", "/v2/app/referrers/*").status(status);
        scripts.push(script(&format!("answered-{status}"), &what, None).play([scene]).fails(&[class]).status(status));
        let what = format!("The tag of referrers is answered {status}: that is not none.");
        let scene = tag().status(status);
        scripts
            .push(script(&format!("tag-answered-{status}"), &what, None).play([scene]).fails(&[class]).status(status));
    }
    scripts
}
