//! Signatures as cosign makes them with a key, and which of them are by one of ours: of an artifact in a registry, or of a
//! file that lies on this machine.
//!
//! Of an artifact, cosign signs a payload that names its digest. There are two forms: a `simple signing` payload with the
//! signature in an annotation, under the tag `sha256-DIGEST.sig` (cosign 1 and 2) or as a referrer; and a sigstore bundle,
//! a referrer, whose payload is an in-toto statement in a DSSE envelope (cosign 3). A key alone is asked: no certificate, no
//! transparency log, and of the repository that a payload names, nothing, so that a copy is as good as what it was made
//! from.
//!
//! What is no signature, or not by our keys, is passed over, so that somebody else's does not stand in the way; that a
//! registry does not answer is an error, and never an absence.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use portolan_oci::{Code, Descriptor, Digest, Index, Manifest};
use serde::Deserialize;

use super::PolicyError;
use super::key::Keys;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::source::{Source, Target};

const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const SIMPLE_TYPE: &str = "cosign container image signature";
/// What holds simple signatures as a referrer.
const ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const STATEMENT: &str = "application/vnd.in-toto+json";
/// What a statement says that is a signature, and not an attestation of something else.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// Manifests and signatures in them of one digest that are looked at; each costs a request.
const MOST: usize = 64;
/// A signature's payload, or a bundle.
const PAYLOAD: u64 = 1 << 20;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A signature by one of the keys.
    Yes,
    /// None, as far as this.
    No(String),
}

/// Whether one of the keys signed the artifact of this manifest.
pub(super) async fn of_artifact(
    source: &dyn Source,
    manifest: &Descriptor,
    keys: &Keys,
    limits: &Limits,
) -> Result<Found> {
    let small = Limits { attestation: PAYLOAD, ..limits.clone() };
    let search = Search { source, digest: &manifest.digest, keys, limits: &small };
    let mut seen = 0;
    let tag = format!("{}-{}.sig", manifest.digest.algorithm_name(), manifest.digest.hex());
    match source.resolve(Target::Tag(&tag), limits).await {
        Ok(signatures) => {
            if search.manifest(&signatures, &mut seen).await? {
                return Ok(Found::Yes);
            }
        }
        Err(error) if error.code() == Code::NotFound => {}
        Err(error) => return Err(error),
    }
    let referrers = source.referrers(&manifest.digest, None, limits).await?;
    let malformed = |detail: String| Error::new(Code::Malformed, "list the referrers in", source.repository(), detail);
    let referrers = Index::parse(&referrers).map_err(|error| malformed(error.to_string()))?.manifests;
    for referrer in referrers.iter().filter(|it| matches!(it.artifact_type.as_deref(), Some(ARTIFACT | BUNDLE))) {
        if seen >= MOST {
            return Ok(Found::No(format!(
                "none of the first {MOST} things that are there is a signature by such a key"
            )));
        }
        if search.manifest(referrer, &mut seen).await? {
            return Ok(Found::Yes);
        }
    }
    Ok(Found::No(match seen {
        0 => format!("{} has no signature of {}", source.repository(), manifest.digest),
        _ => "what is there is by another key, or of something else".to_owned(),
    }))
}

/// Signatures of one artifact.
struct Search<'a> {
    source: &'a dyn Source,
    digest: &'a Digest,
    keys: &'a Keys,
    limits: &'a Limits,
}

impl Search<'_> {
    /// Whether one of the signatures in this manifest is by one of the keys; `seen` counts what was looked at.
    async fn manifest(&self, signatures: &Descriptor, seen: &mut usize) -> Result<bool> {
        *seen += 1;
        let Some(bytes) = self.there(signatures).await? else { return Ok(false) };
        let Ok(manifest) = Manifest::parse(&bytes) else { return Ok(false) };
        for layer in manifest.layers.iter() {
            if *seen > MOST {
                break;
            }
            let is_one = match layer.media_type.as_str() {
                SIMPLE | BUNDLE if layer.size > PAYLOAD => false,
                SIMPLE => self.simple(layer).await?,
                BUNDLE => {
                    let bundle = self.there(layer).await?;
                    bundle.is_some_and(|bundle| bundled(&bundle, self.digest, self.keys))
                }
                _ => continue,
            };
            *seen += 1;
            if is_one {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn simple(&self, layer: &Descriptor) -> Result<bool> {
        let signature = layer.annotations.get(SIGNATURE).and_then(|text| STANDARD.decode(text.trim()).ok());
        let Some(signature) = signature else { return Ok(false) };
        let payload = self.there(layer).await?;
        Ok(payload.is_some_and(|payload| self.keys.signed(&payload, &signature) && names(&payload, self.digest)))
    }

    /// A document, where it is there and is what it is said to be: rubbish that somebody else put beside a signature does
    /// not stand in its way.
    async fn there(&self, descriptor: &Descriptor) -> Result<Option<Bytes>> {
        match self.source.fetch(descriptor, self.limits).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => match error.code() {
                Code::NotFound | Code::DigestMismatch | Code::Malformed | Code::TooLarge | Code::Unsupported => {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }
}

/// The payload of a simple signature, as far as it is read.
#[derive(Deserialize)]
struct Simple {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Named,
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Named {
    docker_manifest_digest: String,
}

fn names(payload: &[u8], digest: &Digest) -> bool {
    serde_json::from_slice(payload).is_ok_and(|Simple { critical: Critical { image, r#type } }| {
        r#type == SIMPLE_TYPE && image.docker_manifest_digest == digest.as_str()
    })
}

/// A sigstore bundle, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Option<Envelope>,
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    sig: String,
}

#[derive(Deserialize)]
struct MessageSignature {
    signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: std::collections::BTreeMap<String, String>,
}

/// Whether a bundle is a signature of this digest.
fn bundled(bundle: &[u8], digest: &Digest, keys: &Keys) -> bool {
    let Ok(Bundle { dsse_envelope: Some(envelope), .. }) = serde_json::from_slice(bundle) else { return false };
    let Envelope { payload, payload_type, signatures } = envelope;
    let Ok(payload) = STANDARD.decode(payload) else { return false };
    // DSSE's pre-authentication encoding: what is signed says what it is.
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    let by_ours = signatures.iter().take(MOST).filter_map(|signed| STANDARD.decode(&signed.sig).ok());
    let mut by_ours = by_ours.filter(|signature| keys.signed(&message, signature));
    payload_type == STATEMENT && by_ours.next().is_some() && states(&payload, digest)
}

fn states(payload: &[u8], digest: &Digest) -> bool {
    let is_it =
        |subject: &Subject| subject.digest.get(digest.algorithm_name()).is_some_and(|hex| hex.as_str() == digest.hex());
    serde_json::from_slice(payload)
        .is_ok_and(|Statement { subject, predicate_type }| predicate_type == SIGNED && subject.iter().any(is_it))
}

/// Whether one of the keys signed a component that was read from `path`.
pub(super) fn of_file(path: &Path, component: &[u8], keys: &Keys) -> Result<Found, PolicyError> {
    let beside = |extension: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let (plain, bundle) = (beside(".sig"), beside(".sigstore.json"));
    let mut wrong = Vec::new();
    for (file, signature_in) in [(&plain, raw as fn(&[u8]) -> Option<Vec<u8>>), (&bundle, of_message)] {
        let Some(bytes) = read(file)? else { continue };
        if signature_in(&bytes).is_some_and(|signature| keys.signed(component, &signature)) {
            return Ok(Found::Yes);
        }
        wrong.push(file.display().to_string());
    }
    Ok(Found::No(match wrong.is_empty() {
        true => format!("there is no {}", plain.display()),
        false => format!("{} is by another key, or of something else", wrong.join(" and ")),
    }))
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, PolicyError> {
    let mut bytes = Vec::new();
    match std::fs::File::open(file).and_then(|file| file.take(PAYLOAD).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PolicyError::Io { what: "read the signature", file: file.display().to_string(), error }),
    }
}

/// A signature in base64.
fn raw(bytes: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(bytes.trim_ascii()).ok()
}

/// The one in a bundle of a blob.
fn of_message(bytes: &[u8]) -> Option<Vec<u8>> {
    let Bundle { message_signature, .. } = serde_json::from_slice(bytes).ok()?;
    raw(message_signature?.signature.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use portolan_tests::fixtures;

    use super::*;

    fn fixture(name: &str) -> PathBuf {
        fixtures::folder().join("signed").join(name)
    }

    fn bytes(name: &str) -> Vec<u8> {
        fs::read(fixture(name)).unwrap()
    }

    fn keys(name: &str) -> Keys {
        Keys::read(&[fixture(name)]).unwrap()
    }

    fn component() -> Vec<u8> {
        fs::read(fixtures::folder().join("components/contract-0.1.0.wasm")).unwrap()
    }

    #[test]
    fn a_file_is_signed_as_cosign_signs_one() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, component) = (scratch.path().join("x.wasm"), component());
        let beside = |name: &str| scratch.path().join(name);
        let verdict = |key: &str| of_file(&path, &component, &keys(key)).unwrap();
        assert!(matches!(verdict("cosign.pub"), Found::No(why) if why.starts_with("there is no ")));
        for (signature, key) in [
            ("component.sig", "cosign.pub"),
            ("component.ed.sig", "ed.pub"),
            ("component.p384.sig", "p384.pub"),
            ("component.rsa.sig", "rsa.pub"),
        ] {
            fs::copy(fixture(signature), beside("x.wasm.sig")).unwrap();
            assert_eq!(verdict(key), Found::Yes, "{signature}");
            assert!(matches!(verdict("other.pub"), Found::No(why) if why.contains("by another key")), "{signature}");
            let mut changed = component.clone();
            *changed.last_mut().unwrap() ^= 1;
            assert_ne!(of_file(&path, &changed, &keys(key)).unwrap(), Found::Yes, "{signature}");
        }
        // One of the two forms is enough, whatever the other is.
        fs::copy(fixture("component.sigstore.json"), beside("x.wasm.sigstore.json")).unwrap();
        assert_eq!(verdict("cosign.pub"), Found::Yes);
        fs::remove_file(beside("x.wasm.sig")).unwrap();
        assert_eq!(verdict("cosign.pub"), Found::Yes);
        assert_ne!(verdict("other.pub"), Found::Yes);
        // The bundle of an artifact is no signature of a file.
        for other in [&bytes("bundle.json")[..], b"", b"{}", b"\xff", b"AAAA"] {
            fs::write(beside("x.wasm.sigstore.json"), other).unwrap();
            fs::write(beside("x.wasm.sig"), other).unwrap();
            assert_ne!(verdict("cosign.pub"), Found::Yes);
        }
        // No more of it is read than a signature may have.
        let padded = |count: usize| {
            fs::write(beside("x.wasm.sig"), [vec![b' '; count], bytes("component.sig")].concat()).unwrap();
            verdict("cosign.pub")
        };
        assert_eq!(padded(1_000), Found::Yes);
        assert_ne!(padded(PAYLOAD as usize), Found::Yes);
        // What cannot be read is not passed over.
        fs::remove_file(beside("x.wasm.sig")).unwrap();
        fs::create_dir(beside("x.wasm.sig")).unwrap();
        assert!(of_file(&path, &component, &keys("cosign.pub")).is_err());
    }

    #[test]
    fn a_payload_signs_the_digest_that_it_names() {
        let digest = Digest::sha256(&bytes("artifact.manifest.json"));
        let payload = bytes("simple.payload.json");
        assert!(names(&payload, &digest));
        assert!(!names(&payload, &Digest::sha256(b"another")));
        let text = String::from_utf8(payload).unwrap();
        assert!(!names(text.replace(SIMPLE_TYPE, "atomic container signature").as_bytes(), &digest));
        assert!(!names(text.replace("docker-manifest-digest", "x").as_bytes(), &digest));
        assert!(!names(b"", &digest));
    }

    #[test]
    fn a_bundle_signs_what_its_statement_is_about() {
        let digest = Digest::sha256(&bytes("artifact.manifest.json"));
        let bundle = bytes("bundle.json");
        assert!(bundled(&bundle, &digest, &keys("cosign.pub")));
        assert!(!bundled(&bundle, &digest, &keys("other.pub")));
        assert!(!bundled(&bundle, &Digest::sha256(b"another"), &keys("cosign.pub")));
        // By the right key, of the right digest, and still no signature of it.
        assert!(!bundled(&bytes("attestation.json"), &digest, &keys("cosign.pub")));

        let mut parsed: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
        let with = |change: fn(&mut serde_json::Value)| {
            let mut other = parsed.clone();
            change(&mut other["dsseEnvelope"]);
            bundled(&serde_json::to_vec(&other).unwrap(), &digest, &keys("cosign.pub"))
        };
        assert!(with(|_| ()));
        assert!(!with(|envelope| envelope["payloadType"] = "text/plain".into()));
        assert!(!with(|envelope| envelope["signatures"] = serde_json::json!([])));
        assert!(!with(|envelope| envelope["signatures"][0]["sig"] = "AAAA".into()));
        assert!(!with(|envelope| envelope["payload"] = "e30=".into()));
        assert!(!with(|envelope| *envelope = serde_json::Value::Null));
        // Somebody else's signature beside it does not stand in the way.
        assert!(with(|envelope| {
            let ours = envelope["signatures"][0].clone();
            envelope["signatures"] = serde_json::json!([{ "sig": "AAAA" }, ours]);
        }));
        // As many as are looked at.
        assert!(!with(|envelope| {
            let ours = envelope["signatures"][0].clone();
            let mut all = vec![serde_json::json!({ "sig": "AAAA" }); MOST];
            all.push(ours);
            envelope["signatures"] = all.into();
        }));
        parsed["dsseEnvelope"]["signatures"][0] = serde_json::json!(1);
        assert!(!bundled(&serde_json::to_vec(&parsed).unwrap(), &digest, &keys("cosign.pub")));
    }

    #[test]
    fn a_statement_is_about_each_of_its_subjects() {
        let digest = Digest::sha256(b"one");
        for (subjects, about) in [
            (format!(r#"{{"digest":{{"sha256":"{}"}}}}"#, digest.hex()), true),
            (format!(r#"{{"digest":{{"sha256":"x"}}}},{{"digest":{{"sha256":"{}"}}}}"#, digest.hex()), true),
            // The digits of another algorithm.
            (format!(r#"{{"digest":{{"sha512":"{}"}}}}"#, digest.hex()), false),
            (format!(r#"{{"digest":{{"sha256":"{digest}"}}}}"#), false),
            (format!(r#"{{"digest":{{"sha256":"{}"}}}}"#, digest.hex().to_uppercase()), false),
            (String::new(), false),
        ] {
            let statement = format!(r#"{{"subject":[{subjects}],"predicateType":"{SIGNED}"}}"#);
            assert_eq!(states(statement.as_bytes(), &digest), about, "{statement}");
        }
    }

    #[test]
    fn what_is_no_key_is_said() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("key.pub");
        let read = || Keys::read(std::slice::from_ref(&file)).map(drop).unwrap_err().to_string();
        assert!(read().starts_with("cannot read the key"), "{}", read());
        let pem = String::from_utf8(bytes("cosign.pub")).unwrap();
        for (text, says) in [
            (String::new(), "nothing in it is a `PUBLIC KEY`"),
            ("rubbish".to_owned(), "nothing in it is a `PUBLIC KEY`"),
            (pem.replace("PUBLIC", "PRIVATE"), "nothing in it is a `PUBLIC KEY`"),
            (pem.replace("MFkw", "MFkx"), "a key that is not of"),
            (pem.replace("-----END PUBLIC KEY-----", ""), "is no file of public keys"),
            ("x".repeat(1 << 17), "larger than"),
            (format!("{pem}{}", pem.replace("MFkw", "M!kw")), "is no file of public keys"),
        ] {
            fs::write(&file, text).unwrap();
            assert!(read().contains(says), "{}", read());
        }
        // Several keys in one file: any will do.
        fs::write(&file, [bytes("other.pub"), bytes("ed.pub")].concat()).unwrap();
        let keys = Keys::read(std::slice::from_ref(&file)).unwrap();
        let signature = STANDARD.decode(bytes("component.ed.sig").trim_ascii()).unwrap();
        assert!(keys.signed(&component(), &signature));
        // And in several files.
        let keys = Keys::read(&[fixture("other.pub"), fixture("ed.pub")]).unwrap();
        assert!(keys.signed(&component(), &signature));
    }
}
