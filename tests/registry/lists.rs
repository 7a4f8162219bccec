//! Lists of tags and of referrers: pages, cursors, and registries that lead out of them.

use portolan::Limits;
use portolan_oci::Index;

use super::*;

fn page(tags: &str, link: &str) -> Scene {
    let scene = on("GET", "/v2/app/tags/list").body(format!(r#"{{"name":"app","tags":{tags}}}"#));
    if link.is_empty() { scene } else { scene.header("Link", link) }
}

#[tokio::test]
async fn pages_of_tags() {
    let (registry, app) = app(vec![
        page(r#"["b","a","b"]"#, r#"</v2/app/tags/list?last=a&n=2>; rel="next""#).once(),
        page("[]", r#"<http://{host}/v2/app/tags/list?last=%2F&x=y>; rel="next""#).once(),
        page(r#"["c"]"#, ""),
    ]);
    let mut pages = Vec::new();
    let mut next = None;
    loop {
        let page = app.tags(next.as_deref()).await.unwrap();
        pages.push(page.tags);
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
    }
    let expected: [&[&str]; 3] = [&["b", "a"], &[], &["c"]];
    assert_eq!(pages, expected, "in the registry's order, each once; a short page is not the last one");
    let queries: Vec<String> = registry.requests().into_iter().map(|request| request.query).collect();
    assert_eq!(queries, ["n=1000", "last=a&n=2", "last=%2F&x=y"]);
}

/// A full page without a `Link` may be the last one, or not.
#[tokio::test]
async fn full_pages_of_tags() {
    let numbered = |from: usize, to: usize| {
        let tags: Vec<String> = (from..to).map(|number| format!("\"v{number:04}\"")).collect();
        format!("[{}]", tags.join(","))
    };
    let (first, all) = (numbered(0, 1000), 1000);
    for (second, count) in [(numbered(1000, 1003), all + 3), ("[]".to_owned(), all), (first.clone(), all)] {
        let (registry, app) = app(vec![page(&first, "").once(), page(&second, "")]);
        let page = app.tags(None).await.unwrap();
        let next = app.tags(page.next.as_deref()).await.unwrap();
        assert_eq!((page.tags.len() + next.tags.len(), next.next), (count, None));
        let queries: Vec<String> = registry.requests().into_iter().map(|request| request.query).collect();
        assert_eq!(queries, ["n=1000", "n=1000&last=v0999"]);
    }
}

#[tokio::test]
async fn what_lists_may_hold() {
    for (tags, expected) in
        [("null", &[][..]), ("[]", &[]), (r#"["1","a/b","..","","\u001b[2J","ok","1"]"#, &["1", "ok"])]
    {
        let (_registry, app) = app(vec![page(tags, "")]);
        assert_eq!(app.tags(None).await.unwrap().tags, expected, "{tags}");
    }
    let many = format!("[{}]", vec!["\"tag\""; 1_000_000].join(","));
    for (body, says) in
        [(many.as_str(), "too-large: "), ("7", "malformed: "), (r#"{"a":1}"#, "malformed: "), ("[1]", "malformed: ")]
    {
        let (_registry, app) = app(vec![page(body, "")]);
        assert_says(app.tags(None).await, &[says]);
    }
    let (_registry, absent) = app(vec![]);
    assert_says(absent.tags(None).await, &["not-found: cannot list the tags of 127.0.0.1:"]);
}

#[tokio::test]
async fn links_that_lead_away() {
    let other = Hostile::play(vec![]);
    for (link, says) in [
        (format!(r#"<http://{}/v2/app/tags/list?n=1>; rel="next""#, other.host()), "leads to another server"),
        (r#"</v2/secret/tags/list?n=1>; rel="next""#.to_owned(), "leads to another list"),
        (r#"</v2/app/tags/list?n=1000>; rel="next""#.to_owned(), "leads to the page it is on"),
        (r#"</v2/app/tags/list>; rel="next""#.to_owned(), "leads back to the beginning"),
        (r#"<http://[>; rel="next""#.to_owned(), "is no URL"),
    ] {
        let (_registry, app) = app(vec![page("[]", &link)]);
        assert_says(app.tags(None).await, &["malformed: ", says]);
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn cursors_lead_nowhere_else_and_end() {
    let (registry, app) = app(vec![page("[]", r#"<?n=1>; rel="next""#)]);
    for forged in ["", "http://evil.example/v2/app/tags/list", "x y"] {
        assert_says(app.tags(Some(forged)).await, &["the cursor is none of ours"]);
    }
    app.tags(Some("0 1 /../../secret/tags/list#")).await.unwrap();
    assert_eq!(registry.requests()[0].path, "/v2/app/tags/list");
    assert_says(app.tags(Some("0 1000 last=z")).await, &["too-large: ", "more than 1000 pages"]);
    assert_eq!(registry.requests().len(), 1);
}

fn entry(letter: &str, artifact_type: &str) -> String {
    let digest = Digest::sha256(letter.as_bytes());
    let media_type = media_type::OCI_MANIFEST;
    format!(
        r#"{{"mediaType":"{media_type}","digest":"{digest}","size":1,"artifactType":"{artifact_type}","x-own":"{letter}"}}"#
    )
}

fn index(entries: &[String]) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#, media_type::OCI_INDEX, entries.join(","))
}

fn listed(path: &str, entries: &[String]) -> Scene {
    on("GET", path).header("Content-Type", media_type::OCI_INDEX).body(index(entries))
}

#[tokio::test]
async fn referrers_by_the_api() {
    let subject = Digest::sha256(b"subject");
    let path = format!("/v2/app/referrers/{subject}");
    let (a, b, c) = (entry("a", "sbom"), entry("b", "signature"), entry("c", "sbom"));
    let registry = Hostile::play(vec![
        listed(&path, &[a.clone(), b.clone()]).header("Link", r#"<?page=2>; rel="next""#).once(),
        listed(&path, &[a.clone(), c.clone()]),
    ]);
    let app = repository(client(), &registry.host(), "app");
    let found = app.referrers(&subject, Some("sbom"), &Limits::default()).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&found),
        index(&[a.clone(), c]),
        "filtered here, each once, as the registry wrote them"
    );
    let queries: Vec<String> = registry.requests().into_iter().map(|request| request.query).collect();
    assert_eq!(queries, ["artifactType=sbom", "page=2"]);

    let everything = Hostile::play(vec![listed(&path, &[a.clone(), b.clone()])]);
    let app = repository(client(), &everything.host(), "app");
    let found = app.referrers(&subject, None, &Limits::default()).await.unwrap();
    assert_eq!(Index::parse(&found).unwrap().manifests.len(), 2);
    // As olareg writes that there are none.
    let null = r#"{"schemaVersion":2,"manifests":null}"#;
    let none = Hostile::play(vec![on("GET", path).header("Content-Type", media_type::OCI_INDEX).body(null)]);
    let nothing = repository(client(), &none.host(), "app");
    let found = nothing.referrers(&subject, None, &Limits::default()).await.unwrap();
    assert!(Index::parse(&found).unwrap().manifests.is_empty());
    let few = Limits { referrers: 1, ..Limits::default() };
    assert_says(app.referrers(&subject, None, &few).await, &["too-large: ", "more than 1 referrers"]);
}

#[tokio::test]
async fn referrers_by_the_tag() {
    let subject = Digest::sha256(b"subject");
    let tag = format!("/v2/app/manifests/sha256-{}", subject.hex());
    let (a, b) = (entry("a", "sbom"), entry("b", "signature"));
    let (registry, by_tag) = app(vec![listed(&tag, &[a.clone(), b])]);
    let found = by_tag.referrers(&subject, Some("sbom"), &Limits::default()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&found), index(&[a]));
    assert_eq!(registry.requests().len(), 2);
    // Whoever keeps no such list keeps none for any digest: the next is looked for by its tag at once.
    let other = Digest::sha256(b"other");
    let found = by_tag.referrers(&other, None, &Limits::default()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&found), index(&[]));
    let paths: Vec<String> = registry.requests().into_iter().skip(2).map(|request| request.path).collect();
    assert_eq!(paths, [format!("/v2/app/manifests/sha256-{}", other.hex())]);
    let (_registry, neither) = app(vec![]);
    let found = neither.referrers(&subject, None, &Limits::default()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&found), index(&[]));
}

#[tokio::test]
async fn referrers_that_cannot_be_listed_are_not_none() {
    let subject = Digest::sha256(b"subject");
    for (scene, says) in [
        (on("GET", "*").status(403), "forbidden: "),
        (on("GET", "*").status(429), "rate-limited: "),
        (on("GET", "*").status(500), "unavailable: "),
        (on("GET", "*").body("<html>").header("Content-Type", "text/html"), "malformed: "),
        (on("GET", "*").body("{}"), "malformed: "),
        (on("GET", "*").body(MANIFEST), "malformed: "),
        (on("GET", "*").body(r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:abc"}]}"#), "malformed: "),
        (listed("*", &[]).header("Link", r#"<http://evil.example/>; rel="next""#), "malformed: "),
    ] {
        let (_registry, app) = app(vec![scene]);
        assert_says(app.referrers(&subject, None, &Limits::default()).await, &[says]);
    }
}

#[tokio::test]
async fn pages_of_referrers_end() {
    let subject = Digest::sha256(b"subject");
    let path = format!("/v2/app/referrers/{subject}");
    let pages = |number: usize| {
        let (this, next) = (format!("page={number}"), format!("<?page={}>; rel=\"next\"", 1 - number));
        (this, listed(&path, &[]).header("Link", next))
    };
    // Two pages that lead to each other: no page leads to itself, and there is no end.
    let (registry, app) = app((0..40).map(|turn| pages(turn % 2).1.once()).collect());
    let few = Limits { tag_pages: 20, ..Limits::default() };
    assert_says(app.referrers(&subject, None, &few).await, &["too-large: ", "more than 20 pages"]);
    assert_eq!(registry.requests().len(), 20);
}
