//! Digests and chain-ids: their spelling, and that they are the hashes they claim to be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::chain::chain_ids;
use portolan_oci::{Algorithm, Digest, Hasher};

fn hex(digits: usize) -> String {
    "0123456789abcdef".repeat(8).get(..digits).unwrap().to_owned()
}

#[test]
fn known_algorithms_have_so_many_digits() {
    for (algorithm, name, digits) in
        [(Algorithm::Sha256, "sha256", 64), (Algorithm::Sha384, "sha384", 96), (Algorithm::Sha512, "sha512", 128)]
    {
        let text = format!("{name}:{}", hex(digits));
        for digest in [Digest::parse(&text).unwrap(), Digest::parse_any(&text).unwrap(), text.parse().unwrap()] {
            assert_eq!(digest.as_str(), text);
            assert_eq!(digest.to_string(), text);
            assert_eq!(digest.algorithm(), Some(algorithm));
            assert_eq!(digest.algorithm_name(), name);
            assert_eq!(digest.hex(), hex(digits));
        }
        for wrong in [0, 1, 32, digits - 1, digits - 2] {
            let message = Digest::parse(&format!("{name}:{}", hex(wrong))).unwrap_err().to_string();
            assert!(message.contains(&format!("has {digits} digits, not {wrong}")), "{message}");
        }
        let long = format!("{text}0");
        assert!(Digest::parse(&long).is_err() && Digest::parse_any(&long).is_err());
    }
}

#[test]
fn what_is_no_digest_says_why() {
    #[rustfmt::skip]
    let rows = [
        // before and after the colon       reason
        ("", hex(64),                       "algorithm is not spelled"),
        ("sha256", hex(64).to_uppercase(),  "must be lower-case"),
        ("SHA256", hex(64),                 "algorithm is not spelled"),
        ("Sha256", hex(64),                 "algorithm is not spelled"),
        ("sha256", hex(63) + "g",           "must be hexadecimal"),
        ("sha256", hex(63) + ":",           "must be hexadecimal"),
        ("sha256", hex(63) + "\n",          "must be hexadecimal"),
        ("sha256", hex(62) + "é",           "must be hexadecimal"),
        ("sha256", hex(63) + "\0",          "must be hexadecimal"),
        ("sha256", "../..".into(),          "must be hexadecimal"),
        ("sha256", "%2e%2e".into(),         "must be hexadecimal"),
        ("sha256", String::new(),           "has 64 digits, not 0"),
        (" sha256", hex(64),                "algorithm is not spelled"),
        ("sha256 ", hex(64),                "algorithm is not spelled"),
        ("sha256\r\n", hex(64),             "algorithm is not spelled"),
        ("../sha256", hex(64),              "algorithm is not spelled"),
        ("md5", hex(32),                    "none of sha256, sha384, sha512"),
        ("sha1", hex(40),                   "none of sha256, sha384, sha512"),
        ("sha224", hex(56),                 "none of sha256, sha384, sha512"),
        ("sha256+b64", hex(64),             "none of sha256, sha384, sha512"),
        ("blake3", hex(64),                 "none of sha256, sha384, sha512"),
    ];
    for (algorithm, encoded, reason) in rows {
        let message = Digest::parse(&format!("{algorithm}:{encoded}")).unwrap_err().to_string();
        assert!(message.contains(reason), "{algorithm:?}, {encoded:?}: {message}");
    }
    for text in ["", "sha256", hex(64).as_str()] {
        assert!(Digest::parse(text).unwrap_err().to_string().contains("no colon"), "{text}");
    }
}

/// image-spec, descriptor.md, "Digests": `algorithm-component (separator algorithm-component)*:encoded`.
#[test]
fn documents_may_name_algorithms_that_nobody_knows() {
    let right = [
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "a.b_c-d+e:f",
        "blake3:=",
        "0:0",
    ];
    for text in right {
        let digest = Digest::parse_any(text).unwrap();
        assert_eq!(digest.as_str(), text);
        assert_eq!(digest.algorithm(), None, "{text}");
        assert!(!digest.matches(b""), "{text}");
        assert!(Digest::parse(text).is_err(), "{text}");
        assert_eq!(digest, serde_json::from_value(text.into()).unwrap());
    }
    let wrong = [
        "", ":", "a", "a:", ":a", "A:b", "a+:b", "+a:b", "a++b:c", "a:b/c", "a:../..", "a:b c", "a:b\n", "a/b:c",
        "a:é", "..:a", "a:%2e", "a:b:c", "é:a",
    ];
    for text in wrong {
        assert!(Digest::parse_any(text).is_err(), "{text}");
        assert!(serde_json::from_value::<Digest>(text.into()).is_err(), "{text}");
    }
}

/// FIPS 180-4's own example, "abc", and the empty message.
#[test]
fn hashes_are_right_in_one_piece_or_many() {
    #[rustfmt::skip]
    let rows = [
        (Algorithm::Sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Algorithm::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Algorithm::Sha384, "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
        (Algorithm::Sha512, "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
    ];
    for (algorithm, content, hex) in rows {
        let digest = Digest::of(algorithm, content.as_bytes());
        assert_eq!(digest.as_str(), format!("{algorithm}:{hex}"));
        assert_eq!(Digest::parse(digest.as_str()), Ok(digest.clone()));
        assert!(digest.matches(content.as_bytes()));
        assert!(!digest.matches(b"abd"));
        let mut hasher = Hasher::new(algorithm);
        content.bytes().for_each(|byte| hasher.update(&[byte]));
        assert_eq!(hasher.finish(), digest);
    }
    assert_eq!(Digest::sha256(b"abc"), Digest::of(Algorithm::Sha256, b"abc"));
}

/// image-spec, config.md, "Layer ChainID", word by word:
/// `ChainID(L₀) = DiffID(L₀)`, `ChainID(L₀|...|Lₙ) = Digest(ChainID(L₀|...|Lₙ₋₁) + " " + DiffID(Lₙ))`.
fn chain_id(diff_ids: &[Digest]) -> Option<Digest> {
    let (top, below) = diff_ids.split_last()?;
    Some(match chain_id(below) {
        None => top.clone(),
        Some(below) => Digest::sha256(format!("{below} {top}").as_bytes()),
    })
}

#[test]
fn chain_ids_are_what_the_specification_says() {
    let mut diff_ids: Vec<Digest> = (0..20u8).map(|layer| Digest::sha256(&[layer])).collect();
    diff_ids.push(Digest::of(Algorithm::Sha512, b"layer"));
    diff_ids.push(Digest::parse_any("blake3:abc").unwrap());
    let chain = chain_ids(&diff_ids);
    assert_eq!(chain.len(), diff_ids.len());
    for (layer, id) in chain.iter().enumerate() {
        assert_eq!(Some(id), chain_id(diff_ids.get(..=layer).unwrap()).as_ref(), "layer {layer}");
    }
    assert!(chain_ids(&[]).is_empty());
}

/// Three layers of which the lower two are swapped: by `sha256sum`, not by us.
#[test]
fn a_chain_id_is_of_the_content_and_all_below_it() {
    let layer = |content: &str| Digest::sha256(content.as_bytes());
    let ids = |layers: [&str; 3]| chain_ids(&layers.map(layer));
    assert_eq!(layer("a").hex(), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    assert_eq!(layer("b").hex(), "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d");
    let (first, second) = (ids(["a", "b", "c"]), ids(["b", "a", "c"]));
    assert_eq!(first.get(1).unwrap().hex(), "51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676");
    assert_eq!(second.get(1).unwrap().hex(), "67912b19465da2dd61635ba35b1f2a3eaf11d709b99b6789cffcc1de4616a4e3");
    assert_ne!(first.last(), second.last());
    assert_eq!(ids(["a", "b", "c"]), first);
}
