//! Whatever the images are: each is the same as itself, and it does not matter which is called A.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod kit;

use kit::{Layer, Shelf, config, entry};
use proptest::prelude::*;
use serde_json::{Value, json};

const PLATFORMS: [&str; 4] = ["linux/amd64", "linux/arm64", "linux/s390x", "freebsd/amd64"];

#[derive(Clone, Debug)]
struct Made {
    platform: usize,
    layers: Vec<Layer>,
    env: Vec<u8>,
    steps: Vec<(u8, u8)>,
    note: Option<u8>,
    attested: Option<u8>,
}

fn made() -> impl Strategy<Value = Made> {
    let layers = prop::collection::vec((1..4_u32, 1..4_u32), 0..5);
    let steps = prop::collection::vec((0..2_u8, 0..3_u8), 0..4);
    let env = prop::collection::vec(0..4_u8, 0..4);
    let beside = (prop::option::of(0..2_u8), prop::option::of(0..2_u8));
    (0..PLATFORMS.len(), layers, env, steps, beside).prop_map(|(platform, layers, env, steps, (note, attested))| Made {
        platform,
        layers,
        env,
        steps,
        note,
        attested,
    })
}

/// One image without an index, or some in one.
fn source() -> impl Strategy<Value = (Vec<Made>, bool)> {
    (prop::collection::vec(made(), 1..4), any::<bool>())
}

fn store(shelf: &mut Shelf, name: &str, (images, in_index): &(Vec<Made>, bool)) {
    let mut entries = Vec::new();
    for made in images {
        let platform = PLATFORMS[made.platform];
        let env: Vec<String> = made.env.iter().map(|number| format!("K{}={number}", number % 3)).collect();
        let steps: Vec<Value> = made
            .steps
            .iter()
            .map(|(time, by)| json!({"created": time.to_string(), "created_by": by.to_string()}))
            .collect();
        let config = config(platform, &made.layers, json!({"config": {"Env": env}, "history": steps}));
        let noted = made.note.map_or(json!({}), |note| json!({"annotations": {"n": note.to_string()}}));
        let alone = (!in_index).then_some(name);
        let image = shelf.image(alone, &config, &made.layers, noted.clone());
        if !in_index {
            return;
        }
        entries.push(entry(&image, platform, noted));
        if let Some(attested) = made.attested {
            let attestation = shelf.attestation(&image, &[&format!("p{attested}")]);
            entries.push(attestation);
        }
    }
    shelf.index(name, &entries, json!({}));
}

/// The answer with A and B exchanged, and without the order of what is listed.
fn mirrored(value: &Value, exchanged: bool) -> Value {
    match value {
        Value::Object(members) => {
            let name = |key: &str| match (key, exchanged) {
                ("a", true) => "b".to_owned(),
                ("b", true) => "a".to_owned(),
                ("onlyA", true) => "onlyB".to_owned(),
                ("onlyB", true) => "onlyA".to_owned(),
                // The first side's, where both have one.
                (key, _) => key.to_owned(),
            };
            let members = members.iter().filter(|(key, _)| *key != "platform");
            members.map(|(key, value)| (name(key), mirrored(value, exchanged))).collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| mirrored(item, exchanged)).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_which_is_called_a(one in source(), other in source()) {
        let mut shelf = Shelf::new();
        store(&mut shelf, "one", &one);
        store(&mut shelf, "other", &other);
        for name in ["one", "other"] {
            prop_assert_eq!(&shelf.json(name, name, &[])["same"], "root");
        }
        let (there, back) = (shelf.json("one", "other", &[]), shelf.json("other", "one", &[]));
        prop_assert_eq!(mirrored(&there, true), mirrored(&back, false));
        shelf.text("one", "other", &[]);
    }

    /// The same in another order, or spelled differently, is the same.
    #[test]
    fn order_and_spelling_do_not_matter(images in prop::collection::vec(made(), 2..4)) {
        let mut shelf = Shelf::new();
        store(&mut shelf, "one", &(images.clone(), true));
        let turned: Vec<Made> = images.into_iter().rev().collect();
        store(&mut shelf, "turned", &(turned.clone(), true));
        let same = shelf.json("one", "turned", &[])["same"].clone();
        prop_assert!(same == "images" || same == "root", "{}", same);
        let spelled: Vec<Made> = turned
            .into_iter()
            .map(|made| {
                let mut env = made.env.clone();
                env.sort_by_key(|number| (number % 3, *number));
                env.dedup();
                Made { env, ..made }
            })
            .collect();
        let mut backwards = spelled.clone();
        for made in &mut backwards {
            // By key the last one of equal keys is the last one still.
            made.env.sort_by_key(|number| std::cmp::Reverse(number % 3));
        }
        store(&mut shelf, "spelled", &(spelled, true));
        store(&mut shelf, "backwards", &(backwards, true));
        prop_assert!(!shelf.json("spelled", "backwards", &[])["same"].is_null());
    }
}
