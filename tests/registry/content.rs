//! Blobs on their way: large ones in parts, any one from where its connection broke, all of them as what they are.

use futures_util::TryStreamExt as _;
use portolan::{Code, Limits};
use portolan_hostile::Request;
use portolan_tests::gate::Gate;
use portolan_tests::layout::Layout;
use portolan_tests::registry::Registry as Real;

use super::*;

const PART: usize = 1000;
const PARTS: usize = 20;

/// A layer of many parts, no two alike.
fn large() -> Vec<u8> {
    (0..PARTS * PART - 7).map(|at| (at * at / 3 + at) as u8).collect()
}

fn layer(bytes: &[u8]) -> Descriptor {
    Descriptor::of("application/vnd.oci.image.layer.v1.tar", bytes)
}

/// The repository `app` of a registry that plays `script`, for who asks for little at a time.
fn app(script: Vec<Scene>) -> (Hostile, Arc<dyn Source>) {
    let registry = Hostile::play(script);
    let limits = Limits { part: PART as u64, ..Limits::default() };
    let app = repository(client().limits(limits), &registry.host(), "app");
    (registry, app)
}

async fn all(source: &Arc<dyn Source>, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
    let pieces: Vec<bytes::Bytes> = source.open(descriptor).await?.try_collect().await?;
    Ok(pieces.concat())
}

fn get() -> Scene {
    on("GET", "/v2/app/blobs/*").ranges().body(large())
}

fn ranges(registry: &Hostile) -> Vec<String> {
    let range = |request: &Request| request.header("range").map(str::to_owned);
    registry.requests().iter().filter_map(range).collect()
}

#[tokio::test]
async fn a_large_blob_comes_in_parts() {
    let wanted = layer(&large());
    let (registry, parted) = app(vec![get()]);
    assert_eq!(all(&parted, &wanted).await.unwrap(), large());
    let mut asked = ranges(&registry);
    asked.sort_by_key(|range| range.trim_start_matches("bytes=").split('-').next().unwrap().parse::<usize>().unwrap());
    let expected: Vec<String> = (0..PARTS)
        .map(|part| format!("bytes={}-{}", part * PART, ((part + 1) * PART).min(wanted.size as usize) - 1))
        .collect();
    assert_eq!(asked, expected);

    // A small one does not, nor one of a registry that knows no ranges.
    let small = &large()[..8 * PART - 1];
    let (registry, whole) = app(vec![get().body(small)]);
    assert_eq!(all(&whole, &layer(small)).await.unwrap(), small);
    assert!(ranges(&registry).is_empty());
    let (registry, unranged) = app(vec![on("GET", "*").body(large())]);
    assert_eq!(all(&unranged, &wanted).await.unwrap(), large());
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn parts_are_asked_for_side_by_side_and_no_more_than_four() {
    let wanted = layer(&large());
    let slow = get().delay(Duration::from_millis(50));
    let (registry, parted) = app(vec![slow]);
    let mut stream = parted.open(&wanted).await.unwrap();
    stream.try_next().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What was handed out is asked for no more, and what was not waits.
    let asked = ranges(&registry).len();
    assert!((3..=5).contains(&asked), "{asked}");
    assert!(registry.connections() >= 3, "{}", registry.connections());
    drop(stream);
    // Who goes away leaves no place taken.
    for _ in 0..3 {
        assert_eq!(all(&parted, &wanted).await.unwrap().len() as u64, wanted.size);
    }
}

#[tokio::test]
async fn a_blob_goes_on_where_its_connection_broke() {
    let wanted = layer(&large());
    for (why, broken) in [
        ("in the first part", get().when("range", "bytes=0-999").cut(300).once()),
        ("in a later part", get().when("range", "bytes=5000-5999").cut(999).once()),
        ("before any byte", get().when("range", "bytes=5000-5999").cut(0).once()),
        ("in the head", get().when("range", "bytes=5000-5999").cut_head(10).once()),
        ("four times", get().when("range", "bytes=19000-19992").cut(1).times(1)),
    ] {
        let (registry, parted) = app(vec![broken, get()]);
        assert_eq!(all(&parted, &wanted).await.unwrap(), large(), "{why}");
        let sent: usize = ranges(&registry).len();
        assert_eq!(sent, PARTS + 1, "{why}");
    }
    // One that is asked for whole goes on by a range, or, where there are none, by what comes again.
    let small = large()[..7 * PART].to_vec();
    for ranged in [true, false] {
        let scene = if ranged { get().body(small.clone()) } else { on("GET", "*").body(small.clone()) };
        let (registry, whole) = app(vec![scene.clone().cut(4321).once(), scene]);
        assert_eq!(all(&whole, &layer(&small)).await.unwrap(), small, "{ranged}");
        assert_eq!(ranges(&registry), ["bytes=4321-6999"], "{ranged}");
    }
    // For ever is too often.
    let (registry, never) = app(vec![get().cut(10)]);
    let error = all(&never, &wanted).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(registry.requests().len() < 100, "{}", registry.requests().len());
}

#[tokio::test]
async fn a_part_is_what_was_asked_for_or_nothing_is() {
    let wanted = layer(&large());
    let part = |range: &str| on("GET", "*").when("range", range.to_owned()).status(206);
    let second = "bytes=1000-1999";
    let bytes = &large()[1000..2000];
    for (why, scene, code, expected) in [
        (
            "another part",
            part(second).header("Content-Range", "bytes 0-999/19993").body(bytes),
            Code::Malformed,
            "it sent bytes 0 to 999",
        ),
        (
            "of another blob",
            part(second).header("Content-Range", "bytes 1000-1999/20000").body(bytes),
            Code::Malformed,
            "of 20000",
        ),
        ("no word which", part(second).body(bytes), Code::Malformed, "without saying which"),
        (
            "several at once",
            part(second).header("Content-Type", "multipart/byteranges; boundary=b").body(bytes),
            Code::Malformed,
            "without saying which",
        ),
        (
            "too little",
            part(second).header("Content-Range", "bytes 1000-1999/19993").body(&bytes[..10]),
            Code::Malformed,
            "less of a part",
        ),
        (
            "too much",
            part(second).header("Content-Range", "bytes 1000-1999/19993").body([bytes, b"!"].concat()),
            Code::Malformed,
            "more of a part",
        ),
        ("all of it", on("GET", "*").when("range", second).body(large()), Code::Malformed, "all of it where a part"),
        ("not satisfiable", on("GET", "*").when("range", second).status(416), Code::Other, "416"),
        ("changed meanwhile", get().when("range", second).header("ETag", "\"2\""), Code::Malformed, "was changed"),
        (
            "other bytes",
            part(second).header("Content-Range", "bytes 1000-1999/19993").body(vec![0; 1000]),
            Code::DigestMismatch,
            "sha256:",
        ),
    ] {
        let (_registry, parted) = app(vec![scene, get().header("ETag", "\"1\"")]);
        let error = all(&parted, &wanted).await.unwrap_err();
        assert_eq!(error.code(), code, "{why}: {error}");
        assert!(error.to_string().contains(expected), "{why}: {error}");
    }
    // The first answer tells of another size than the descriptor.
    let (_registry, other) = app(vec![get().body([large(), b"more".to_vec()].concat())]);
    assert_says(all(&other, &wanted).await, &["malformed: ", "of 19997"]);
}

/// A real registry, through a gate that cuts every connection: all of it arrives, and little twice.
#[tokio::test]
async fn a_large_layer_survives_a_bad_line() {
    let (registry, layout) = (Real::start(), Layout::new());
    let content: Vec<u8> = (0..6_u32 << 18).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let image = layout.image(&content);
    layout.entries(std::slice::from_ref(&image.manifest));
    registry.push(&format!("oci:{}", layout.folder().display()), "app:1");
    for part in [512 << 10, 64 << 20] {
        let gate = Gate::before(registry.host());
        gate.cut_within(1 << 20);
        let limits = Limits { part, ..Limits::default() };
        let source = repository(client().limits(limits), &gate.host(), "app");
        let stored = resolve_tag(&source, "1").await.unwrap();
        let manifest = source.fetch(&stored, &Limits::default()).await.unwrap();
        let layer = portolan_oci::Manifest::parse(&manifest).unwrap().layers.remove(0);
        let before = (gate.passed(), gate.connections());
        let bytes = all(&source, &layer).await.unwrap();
        assert!(layer.digest.matches(&bytes));
        let passed = gate.passed() - before.0;
        assert!(passed as f64 <= layer.size as f64 * 1.2, "{passed} bytes for {}, in parts of {part}", layer.size);
        assert!(gate.connections() - before.1 >= 5, "nothing was cut");
    }
}
