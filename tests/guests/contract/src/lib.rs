//! Calls every function of the contract as released (version 0.1.0), and answers in every way that it has: what a host must
//! serve for ever. `do` says what, `with` on what, `and` the rest.
//!
//! It prints what crossed the boundary and no more; messages are free to change, so that of an error it prints the code.

wit_bindgen::generate!({
    path: "../../fixtures/wit/0.1.0",
    inline: "
        package tests:contract;

        world everything {
            include portolan:oci/writer@0.1.0;
            export portolan:oci/image-resolver@0.1.0;
        }
    ",
    world: "tests:contract/everything",
    generate_all,
});

use exports::portolan::oci::frontend::{self, Body, Info, Kind, Parameter, Request, Response};
use exports::portolan::oci::image_resolver::{self, Content, Image, Parts, Query};
use portolan::oci::host::{self, Level};
use portolan::oci::resolver::Resolved;
use portolan::oci::types::{Descriptor, Error, Failure};
use portolan::oci::{blobs, discovery, fetcher, pusher, resolver, strategy};

struct Contract;

impl frontend::Guest for Contract {
    fn describe() -> Info {
        let text = |name: &str| Parameter {
            name: name.to_owned(),
            short: None,
            kind: Kind::Text,
            help: format!("Help for {name}"),
            default: None,
            required: false,
            repeated: false,
            positional: false,
        };
        let choices = vec!["one".to_owned(), "two".to_owned()];
        Info {
            name: "contract".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "Calls everything".to_owned(),
            parameters: vec![
                Parameter { positional: true, required: true, ..text("do") },
                Parameter { repeated: true, short: Some("w".to_owned()), ..text("with") },
                Parameter { default: Some("nothing".to_owned()), ..text("and") },
                Parameter { kind: Kind::Flag, ..text("flag") },
                Parameter { kind: Kind::Choice(choices), ..text("choice") },
                Parameter { kind: Kind::PullReference, ..text("pull") },
                Parameter { kind: Kind::PushReference, ..text("push") },
                Parameter { kind: Kind::File, ..text("file") },
                Parameter { kind: Kind::PullReferenceFile, ..text("pull-file") },
            ],
            formats: vec!["text".to_owned(), "json".to_owned()],
        }
    }

    fn solve(request: Request) -> Result<Response, Failure> {
        let all = |wanted: &str| {
            let given = request.arguments.iter().filter(|(name, _)| name == wanted);
            given.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let one = |wanted: &str| all(wanted).pop().unwrap_or_default();
        let (with, and) = (one("with"), one("and"));
        let text = match one("do").as_str() {
            "arguments" => {
                request.arguments.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")
            }
            "platform" => host::platform(),
            "features" => format!("{:?}", host::features()),
            "log" => {
                for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
                    host::log(level, &with);
                }
                "logged".to_owned()
            }
            "resolve" => answer(resolver::resolve(&with).map(|it| resolved(&it))),
            "resolve-all" => {
                let answers = resolver::resolve_all(&all("with"));
                answers.into_iter().map(|it| answer(it.map(|it| resolved(&it)))).collect::<Vec<_>>().join("\n")
            }
            "entries" => answer(resolver::entries(&with).map(|it| resolved(&it))),
            "fetch" => answer(fetcher::fetch(&with, &descriptor(&and)?).map(|it| it.len().to_string())),
            "prefetch" => {
                fetcher::prefetch(&with, &[descriptor(&and)?]);
                "hinted".to_owned()
            }
            "read" => answer(blobs::read(&with, &descriptor(&and)?, 1, 4).map(|it| format!("{it:?}"))),
            "tags" => answer(discovery::tags(&with, None).map(|it| format!("{:?} {:?}", it.tags, it.next))),
            "referrers" => answer(discovery::referrers(&with, &and, Some("a/b")).map(|it| it.len().to_string())),
            "push" => answer(
                pusher::push(&with, Some("name"), &descriptor(&and)?, b"content")
                    .map(|it| format!("{} {}", it.created, it.subject_processed)),
            ),
            "copy" => {
                let items = [pusher::Item { descriptor: descriptor(&and)?, name: Some("name".to_owned()) }];
                answer(pusher::copy(&with, &one("push"), &items).map(|()| "copied".to_owned()))
            }
            "match-name" => format!("{:?}", strategy::match_name(with.as_bytes(), &and, "strict")?),
            "select" => format!("{:?}", strategy::select(with.as_bytes(), &and, "strict")?),
            "bytes" => {
                let body = Body::Bytes(vec![0, 1, 255]);
                let metadata = vec![("fact".to_owned(), "value".to_owned())];
                return Ok(Response { status: 6, media_type: "a/b".to_owned(), body, metadata });
            }
            "content" => {
                let body = Body::Content((with, descriptor(&and)?));
                return Ok(Response { status: 0, media_type: "a/b".to_owned(), body, metadata: Vec::new() });
            }
            "fail" => {
                let cause = Error { code: and, message: "cause".to_owned(), retry_after: Some(7) };
                return Err(Failure { message: with, hint: Some("hint".to_owned()), cause: Some(cause) });
            }
            other => return Err(failure(format!("do what? {other}"))),
        };
        Ok(Response { status: 0, media_type: "text/plain".to_owned(), body: Body::Text(text), metadata: Vec::new() })
    }
}

impl image_resolver::Guest for Contract {
    /// What it was asked, in the shape of an answer.
    fn resolve_image(query: Query) -> Result<Image, Failure> {
        let content = |wanted: bool, text: &str| Content {
            descriptor: Descriptor {
                media_type: "a/b".to_owned(),
                digest: format!("sha256:{}", "0".repeat(64)),
                size: text.len() as u64,
            },
            bytes: wanted.then(|| text.as_bytes().to_vec()),
        };
        Ok(Image {
            repository: query.reference,
            platform: query.platform.unwrap_or_else(host::platform),
            index: Some(content(query.parts.contains(Parts::INDEX), "index")),
            manifest: content(query.parts.contains(Parts::MANIFEST), "manifest"),
            config: content(query.parts.contains(Parts::CONFIG), "config"),
            platforms: query.options.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
        })
    }
}

fn answer(answer: Result<String, Error>) -> String {
    answer.unwrap_or_else(|error| format!("error {}", error.code))
}

fn resolved(it: &Resolved) -> String {
    let Descriptor { media_type, digest, size } = &it.descriptor;
    format!("{} {media_type} {digest} {size}", it.repository)
}

/// `MEDIA-TYPE DIGEST SIZE`
fn descriptor(text: &str) -> Result<Descriptor, Failure> {
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        [media_type, digest, size] => Ok(Descriptor {
            media_type: (*media_type).to_owned(),
            digest: (*digest).to_owned(),
            size: size.parse().map_err(|_| failure(format!("{size} is no size")))?,
        }),
        _ => Err(failure(format!("{text} is no descriptor"))),
    }
}

fn failure(message: String) -> Failure {
    Failure { message, hint: None, cause: None }
}

export!(Contract);
