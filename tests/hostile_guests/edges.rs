//! Every number that crosses the boundary in a call to the host, at the ends of its type: pointers, lengths, tags of options,
//! sizes, offsets, and where the answer is to go. One frontend, told which word of which call is to be which number, the others
//! being as they should.

use portolan::{Component, Grants, Run, RunError};

use crate::judge;
use crate::raw::Raw;
use crate::world::{World, blob, soon};

/// Where the texts lie: a repository, a media type, a digest.
const REPOSITORY: i32 = 3_000;
const MEDIA_TYPE: i32 = 3_100;
const DIGEST: i32 = 3_200;
/// A list of one of whatever is listed.
const LIST: i32 = 3_400;
const ANSWER: i32 = 2_048;

/// An argument as it should be.
#[derive(Clone, Copy)]
enum Word {
    Narrow(i32),
    Wide(i64),
}
use Word::{Narrow, Wide};

const NAME: [Word; 2] = [Narrow(REPOSITORY), Narrow(11)];
const NOTHING: [Word; 3] = [Narrow(0), Narrow(REPOSITORY), Narrow(11)];
const CONTENT: [Word; 5] = [Narrow(MEDIA_TYPE), Narrow(24), Narrow(DIGEST), Narrow(71), Wide(10)];
const ONE: [Word; 2] = [Narrow(LIST), Narrow(1)];
const TOLD: [Word; 1] = [Narrow(ANSWER)];

fn functions() -> Vec<(&'static str, &'static str, Vec<Word>)> {
    let of = |words: &[&[Word]]| words.concat();
    vec![
        ("host", "platform", of(&[&TOLD])),
        ("host", "features", of(&[&TOLD])),
        ("host", "log", of(&[&[Narrow(0)], &NAME])),
        ("resolver", "resolve", of(&[&NAME, &TOLD])),
        ("resolver", "resolve-all", of(&[&ONE, &TOLD])),
        ("resolver", "entries", of(&[&NAME, &TOLD])),
        ("fetcher", "fetch", of(&[&NAME, &CONTENT, &TOLD])),
        ("fetcher", "prefetch", of(&[&NAME, &ONE])),
        ("blobs", "read", of(&[&NAME, &CONTENT, &[Wide(0), Narrow(4)], &TOLD])),
        ("discovery", "tags", of(&[&NAME, &NOTHING, &TOLD])),
        ("discovery", "referrers", of(&[&NAME, &[Narrow(DIGEST), Narrow(71)], &NOTHING, &TOLD])),
        ("pusher", "push", of(&[&NAME, &NOTHING, &CONTENT, &NAME, &TOLD])),
        ("pusher", "copy", of(&[&NAME, &NAME, &ONE, &TOLD])),
    ]
}

const EDGES: [(i32, i64); 5] = [(0, 0), (1, 1), (-1, -1), (i32::MIN, i64::MIN), (i32::MAX, i64::MAX)];

/// Is told three letters: which function, which of its words, which number.
fn frontend() -> Vec<u8> {
    let letter = |place: usize| {
        format!("(i32.sub (i32.load8_u offset={place} (i32.load offset=8 (local.get $at))) (i32.const 97))")
    };
    let chosen = |of: &str, edge: fn(&(i32, i64)) -> i64| {
        EDGES.iter().enumerate().fold(format!("({of}.const 0)"), |otherwise, (number, edges)| {
            format!("(select ({of}.const {}) {otherwise} (i32.eq (local.get $edge) (i32.const {number})))", edge(edges))
        })
    };
    Raw::build(|raw| {
        let mut solve = format!(
            "(local $word i32) (local $edge i32) (local $narrow i32) (local $wide i64)
             (local.set $word {}) (local.set $edge {}) (local.set $narrow {}) (local.set $wide {})",
            letter(1),
            letter(2),
            chosen("i32", |edges| edges.0.into()),
            chosen("i64", |edges| edges.1),
        );
        for (number, (interface, name, words)) in functions().into_iter().enumerate() {
            let mut parameters = String::new();
            let mut call = format!("call $f{number}");
            for (place, word) in words.into_iter().enumerate() {
                let (of, local, right) = match word {
                    Narrow(right) => ("i32", "$narrow", i64::from(right)),
                    Wide(right) => ("i64", "$wide", right),
                };
                parameters.push_str(&format!(" {of}"));
                let here = format!("(i32.eq (local.get $word) (i32.const {place}))");
                call.push_str(&format!(" (select (local.get {local}) ({of}.const {right}) {here})"));
            }
            raw.imports.push_str(&format!(
                r#"(import "portolan:oci/{interface}@0.1.0" "{name}" (func $f{number} (param{parameters})))"#
            ));
            solve.push_str(&format!("(if (i32.eq {} (i32.const {number})) (then ({call})))", letter(0)));
        }
        raw.solve = format!("{solve} {}", raw.solve);
        let digest = blob().digest;
        raw.rest = format!(
            r#"(data (i32.const {REPOSITORY}) "r.example/a") (data (i32.const {MEDIA_TYPE}) "application/octet-stream")
               (data (i32.const {DIGEST}) "{digest}")"#
        );
    })
}

#[tokio::test]
async fn every_number_of_every_call_at_the_ends_of_its_type() {
    let world = World::new(judge::limits(), std::time::Duration::ZERO).await;
    let frontend = world.host.load(Component::Bytes(&frontend())).await.unwrap();
    let letter = |number: usize| char::from(b'a' + u8::try_from(number).unwrap());
    let (mut good, mut ended) = (0, 0);
    for (function, (_, name, words)) in functions().into_iter().enumerate() {
        // One place more than there is: all words as they should be.
        for place in 0..=words.len() {
            for (edge, numbers) in EDGES.iter().enumerate() {
                let told: String = [function, place, edge].map(letter).iter().collect();
                let grants = Grants::new().pull("r.example/a").unwrap();
                let run = Run::new(&frontend).argument("x", told).grants(grants);
                let is_wide = matches!(words.get(place), Some(Wide(_)) | None);
                match soon(world.host.run(run)).await {
                    Ok(_) => good += 1,
                    // A size or an offset is a number, and nothing to trap at.
                    Err(RunError::Trapped { .. } | RunError::Limit { .. }) if !is_wide => ended += 1,
                    Err(error) => panic!("{name}, word {place}, {numbers:?}: {error}"),
                }
            }
        }
    }
    assert!(good > 150 && ended > 150, "{good} answered, {ended} ended");
    world.serves().await;
}
