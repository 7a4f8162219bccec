//! What may run, and what it meant: a policy grants no more than it says and a lock forgets nothing, or they are wrong and
//! the error can be shown.

use std::fs;
use std::path::Path;

use portolan::policy::{Lock, Policy, PolicyError, Ruling, Who};
use portolan::{Bundled, Grants, Limits};
use portolan_oci::{Digest, Reference};

use crate::{is_tame, scratch};

const PLACES: [&str; 5] =
    ["docker.io/library/alpine", "r.example/app", "r.example/team/app", "r.example:5000/app", "ghcr.io/acme/newest"];

fn told(error: &PolicyError) {
    let text = format!("{error} {}", error.hint().unwrap_or_default());
    assert!(is_tame(&text), "{text:?}");
}

/// `portolan.toml`.
pub fn portolan_toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let policy = match Policy::parse(text, Path::new("portolan.toml")) {
        Ok(policy) => policy,
        Err(error) => return told(&error),
    };
    let newest = Reference::parse("ghcr.io/acme/newest:1").unwrap();
    let strategy = Some(Who::File(Path::new("judge.wasm")));
    for who in [Who::Bundled(Bundled::Inspect), Who::File(Path::new("plugins/x.wasm")), Who::Published(&newest)] {
        let ruling = policy.ruling(who, None);
        if let Err(error) = ruling.admit() {
            told(&error);
        }
        grants(&ruling);
        budgets(&ruling, &policy.ruling(who, strategy));
    }
}

fn grants(ruling: &Ruling) {
    let named = Grants::new().pull("r.example/app").unwrap();
    let asked = Grants::new().push("r.example/team/*").unwrap();
    let both = named.clone().and(&asked);
    let alone = match ruling.grants(&named, None) {
        Ok(granted) => {
            assert!(granted.allows_pull("r.example/app"), "what is named was left out: {granted:?}");
            granted
        }
        Err(error) => return told(&error),
    };
    match ruling.grants(&named, Some(&asked)) {
        Ok(granted) => {
            for place in PLACES {
                assert!(!granted.allows_pull(place) || both.allows_pull(place), "{place}: {granted:?}");
                assert!(!granted.allows_push(place) || both.allows_push(place), "{place}: {granted:?}");
            }
            assert_eq!(both.beyond(&granted), None, "what was asked for is refused or granted");
        }
        Err(error) => told(&error),
    }
    let outer = Grants::new().pull("r.example/*").unwrap();
    let within = alone.within(&outer);
    for place in PLACES {
        assert_eq!(within.allows_pull(place), alone.allows_pull(place) && outer.allows_pull(place), "{place}");
        assert!(!within.allows_push(place), "{place}");
    }
}

fn budgets(alone: &Ruling, plugged: &Ruling) {
    let usual = Limits::default();
    let (alone, plugged) = (alone.limits(&usual), plugged.limits(&usual));
    assert_eq!(plugged.within(&alone), plugged, "a strategy widened what its frontend may");
}

/// `portolan.lock`.
pub fn portolan_lock(data: &[u8]) {
    scratch::with(|folder| {
        let file = folder.join("portolan.lock");
        fs::write(&file, data).unwrap();
        let lock = Lock::in_folder(folder);
        let (name, ours, theirs) = ("r.example/fuzzed:1", Digest::sha256(b"ours"), Digest::sha256(b"theirs"));
        let known = lock.check(name, &ours);
        if let Err(error) = &known {
            told(error);
        }
        if let Ok(false) | Err(PolicyError::Moved { .. }) = known {
            lock.pin(name, &ours, true).unwrap();
            assert!(lock.check(name, &ours).unwrap());
            assert!(lock.check(name, &theirs).is_err());
            // What was there is there, in the words in which it is written.
            let text = fs::read_to_string(&file).unwrap();
            lock.pin(name, &theirs, true).unwrap();
            lock.pin(name, &ours, true).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        } else if known.is_err() {
            assert!(lock.pin(name, &ours, true).is_err());
            assert_eq!(fs::read(&file).unwrap(), data, "what was not understood was written over");
        }
        fs::remove_file(&file).unwrap();
    });
}
