//! The comparison for people: one line where they are the same; else what differs, `-` before what the one says, `+` before
//! what the other does, a fact a line, so that `grep Env` finds all that concerns it.

use crate::compare::{Compared, Comparison, Same};
use crate::history::History;
use crate::layers::{self, Layers, same_blob};
use crate::said::Change;
use crate::side::Entry;
use portolan_oci::go::Value;
use portolan_oci::{Descriptor, text};
use portolan_sdk::table::size;

/// How many platforms a sentence names.
const NAMED: usize = 4;
/// Names are aligned up to here: one that a stranger made long moves its own line and no other.
const WIDEST: usize = 32;

/// The whole comparison.
pub fn text(comparison: &Comparison) -> String {
    let Comparison { a, b, same, images, .. } = comparison;
    let both = format!("{} and {}", text::line(&a.reference), text::line(&b.reference));
    let many = images.len() != 1;
    match same {
        Some(Same::Document) => format!("{both} are the same: both are {}", a.root.digest),
        Some(Same::Images) => match images.as_slice() {
            [] => format!("{both} say the same, and have no images"),
            [image] => format!("{both} have the same image, {}{}", label(image), manifest(image)),
            _ => format!("{both} have the same images, {}; only the indexes are written differently", labels(images)),
        },
        Some(Same::Content) => format!(
            "{both} have the same content, {}; the documents differ{}",
            labels(images),
            written(comparison, if many { " somewhere: " } else { ": " })
        ),
        None => differing(comparison),
    }
}

/// What an image is called in a sentence: its platform, or both where they differ.
fn label(image: &Compared) -> String {
    let label = |entry: &Option<Entry>| entry.as_ref().map(Entry::label).unwrap_or_default();
    let label = match (label(&image.a), label(&image.b)) {
        (a, b) if a == b || b.is_empty() => a,
        (a, b) if a.is_empty() => b,
        (a, b) => format!("{a} and {b}"),
    };
    text::line(&label).into_owned()
}

fn labels(images: &[Compared]) -> String {
    let named: Vec<String> = images.iter().take(NAMED).map(label).collect();
    match images.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// The digest of what is there for both, where the label has not said it.
fn manifest(image: &Compared) -> String {
    match &image.a {
        Some(entry) if entry.platform.is_some() => format!(": {}", entry.descriptor.digest),
        _ => String::new(),
    }
}

/// What is written differently of what says the same.
fn written(comparison: &Comparison, before: &str) -> String {
    let reasons = reasons(&comparison.images);
    match reasons.is_empty() {
        true => String::new(),
        false => format!("{before}{}", reasons.join(", ")),
    }
}

fn reasons(images: &[Compared]) -> Vec<String> {
    let both = || images.iter().filter_map(|image| Some((image.a.as_ref()?, image.b.as_ref()?)));
    let manifests = || both().filter_map(|(a, b)| Some((a.manifest()?, b.manifest()?)));
    let recompressed: usize = images.iter().filter_map(|image| image.layers.as_ref()).map(Layers::recompressed).sum();
    let retyped = both().any(|(a, b)| a.descriptor.media_type != b.descriptor.media_type)
        || manifests().any(|(a, b)| a.config.media_type != b.config.media_type);
    let respelled = manifests().any(|(a, b)| a.config.digest != b.config.digest);
    let mut reasons = Vec::new();
    match recompressed {
        0 => {}
        1 => reasons.push("1 layer is compressed differently".to_owned()),
        many => reasons.push(format!("{many} layers are compressed differently")),
    }
    if retyped {
        reasons.push("media types".to_owned());
    }
    if respelled {
        reasons.push("how the config is spelled".to_owned());
    }
    reasons
}

fn differing(comparison: &Comparison) -> String {
    let mut out = Vec::new();
    let mut head = Lines::new(0);
    let (a, b) = (&comparison.a, &comparison.b);
    for (mark, what, named, other) in [('-', "A", a, b), ('+', "B", b, a)] {
        head.add(mark, what, format!("{}  {}", named.reference, described(&named.root, &other.root)));
    }
    out.push(head.to_string());
    let mut index = Lines::new(0);
    index.changes(&comparison.index);
    index.entries('-', &comparison.only_a);
    index.entries('+', &comparison.only_b);
    out.push(index.to_string());
    let (alone, paired): (Vec<_>, Vec<_>) =
        comparison.images.iter().partition(|image| image.a.is_none() || image.b.is_none());
    let mut only = Lines::new(0);
    for image in alone {
        let mark = if image.a.is_some() { '-' } else { '+' };
        for entry in image.a.iter().chain(&image.b) {
            let what = if entry.platform.is_some() { entry.label() } else { "artifact".to_owned() };
            only.add(mark, &what, entry.descriptor.digest.to_string());
        }
    }
    out.push(only.to_string());
    let mut same = Lines::new(0);
    for image in paired.iter().filter(|image| !image.differs()) {
        let how = match image.same {
            Some(Same::Content) => {
                let reasons = reasons(std::slice::from_ref(*image));
                let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
                format!("the same content; the documents differ{why}")
            }
            _ => format!("the same{}", manifest(image)),
        };
        same.add('=', &label(image), how);
    }
    out.push(same.to_string());
    out.extend(paired.into_iter().filter(|image| image.differs()).map(one));
    out.retain(|part| !part.is_empty());
    out.join("\n")
}

/// One image that differs.
fn one(image: &Compared) -> String {
    let mut lines = Lines::new(2);
    if image.same != Some(Same::Document) {
        if let (Some(a), Some(b)) = (&image.a, &image.b) {
            lines.documents("manifest", &a.descriptor, &b.descriptor);
            if let (Some(a), Some(b)) = (a.manifest(), b.manifest()) {
                lines.documents("config", &a.config, &b.config);
            }
        }
    } else {
        lines.add(
            '=',
            "manifest",
            image.a.as_ref().map(|entry| entry.descriptor.digest.to_string()).unwrap_or_default(),
        );
    }
    lines.changes(&image.entry);
    lines.changes(&image.changes);
    if let Some(history) = &image.history {
        lines.history(history);
    }
    if let Some(layers) = &image.layers {
        lines.layers(layers);
    }
    format!("{}\n{lines}", label(image))
}

/// Lines of a mark, a name and a value.
struct Lines {
    indent: usize,
    lines: Vec<(char, String, String)>,
}

impl Lines {
    fn new(indent: usize) -> Lines {
        Lines { indent, lines: Vec::new() }
    }

    fn add(&mut self, mark: char, what: &str, value: String) {
        self.lines.push((mark, text::line(what).into_owned(), text::line(&value).into_owned()));
    }

    fn documents(&mut self, what: &str, a: &Descriptor, b: &Descriptor) {
        if a.digest != b.digest {
            self.add('-', what, described(a, b));
            self.add('+', what, described(b, a));
        }
    }

    fn changes(&mut self, changes: &[Change]) {
        for change in changes {
            let what = named(&change.path);
            for (mark, value) in [('-', &change.a), ('+', &change.b)] {
                if let Some(value) = value {
                    self.add(mark, &what, shown(value));
                }
            }
        }
    }

    fn entries(&mut self, mark: char, entries: &[Descriptor]) {
        for entry in entries {
            let kind = entry.artifact_type.as_ref().unwrap_or(&entry.media_type);
            self.add(mark, "other", format!("{}  {}  {kind}", entry.digest, size(entry.size)));
        }
    }

    fn history(&mut self, history: &History) {
        if history.same() {
            return;
        }
        let step = |number: usize| format!("step {}", number + 1);
        let by = |step: &Value<'_>| {
            let text = ["created_by", "comment"].into_iter().find_map(|key| step.member(key).map(shown));
            // A command of many lines, brought onto one.
            text.unwrap_or_else(|| shown(step)).split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for (mark, steps, positions) in
            [('-', &history.a, &history.pairs.only_a), ('+', &history.b, &history.pairs.only_b)]
        {
            for &position in positions {
                if let Some(said) = steps.get(position) {
                    self.add(mark, &step(position), by(said));
                }
            }
        }
        let count = |count: usize| match count {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        };
        let retimed = history.retimed().count();
        let mut same = format!("{} the same", count(history.shared()));
        if retimed > 0 {
            same.push_str(&format!(", {} the same at another time", count(retimed)));
        }
        if !history.pairs.in_order() {
            same.push_str(", in another order");
        }
        self.add(' ', "history", same);
    }

    fn layers(&mut self, all: &Layers) {
        let number = |place: usize| format!("layer {}", place + 1);
        for (mark, layers, positions) in [('-', &all.a, &all.pairs.only_a), ('+', &all.b, &all.pairs.only_b)] {
            for &position in positions {
                if let Some(layer) = layers.get(position) {
                    let Descriptor { digest, size: bytes, media_type, .. } = &layer.descriptor;
                    self.add(mark, &number(position), format!("{digest}  {}  {media_type}", size(*bytes)));
                }
            }
        }
        for pair in &all.pairs.both {
            let Some((a, b)) = all.pair(pair) else { continue };
            if !same_blob(pair) {
                let (before, after) = (&a.descriptor, &b.descriptor);
                let content = a.diff_id.as_ref().map(ToString::to_string).unwrap_or_default();
                self.add('-', &number(pair.a), format!("{}  {}  content {content}", before.digest, size(before.size)));
                self.add('+', &number(pair.b), format!("{}  {}  content {content}", after.digest, size(after.size)));
            }
            if pair.a != pair.b {
                self.add(' ', &number(pair.a), format!("in B it is {}", number(pair.b)));
            }
        }
        let (of_a, of_b) = all.unshared();
        let common = match (all.same(), all.base, all.chain_id()) {
            (true, 0, _) => "none in either".to_owned(),
            (true, _, None) => "the same".to_owned(),
            (true, _, Some(chain)) => format!("the same content, chain-id {chain}"),
            (false, 0, _) => "none the same from the lowest up".to_owned(),
            (false, base, None) => format!("the lowest {base} the same"),
            (false, base, Some(chain)) => format!("the lowest {base} the same, chain-id {chain}"),
        };
        self.add(' ', "layers", format!("{} and {}, {common}", all.a.len(), all.b.len()));
        if (of_a, of_b) == (0, 0) {
            return;
        }
        for (mark, layers, unshared, other) in [('-', &all.a, of_a, "B"), ('+', &all.b, of_b, "A")] {
            self.add(
                mark,
                "size",
                format!("{}, of which {} not in {other}", size(layers::size(layers)), size(unshared)),
            );
        }
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |what: &str| what.chars().count();
        let widest = self.lines.iter().map(|(_, what, _)| width(what)).filter(|&width| width <= WIDEST).max();
        for (mark, what, value) in &self.lines {
            let (indent, padding) = (self.indent, widest.unwrap_or_default().saturating_sub(width(what)));
            let line = format!("{:indent$}{mark} {what}{:padding$}  {value}", "", "");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A document's digest, and its media type where that differs from the other's.
fn described(one: &Descriptor, other: &Descriptor) -> String {
    match one.media_type == other.media_type {
        true => one.digest.to_string(),
        false => format!("{}  {}", one.digest, one.media_type),
    }
}

/// A path in the words of Dockerfiles, as far as they have one.
fn named(path: &[String]) -> String {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        ["config", "config", rest @ ..] | ["config", rest @ ..] if !rest.is_empty() => rest,
        ["manifest", "layers", digest, rest @ ..] => return format!("layer {digest} {}", rest.join(" ")),
        all => all,
    };
    words.join(" ")
}

/// A value on one line: a text bare, anything else as JSON.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
