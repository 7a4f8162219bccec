//! Two sides, compared; nothing here is about how it looks.

use crate::history::History;
use crate::layers::{Layers, same_blob};
use crate::pairs::{Pair, Pairs};
use crate::said::{self, Change};
use crate::side::{Entry, Side};
use portolan_oci::go::Value;
use portolan_oci::{Descriptor, Platform, stack};
use portolan_sdk::traverse::{Found, Image};
use portolan_sdk::{Context, Failure};
use std::collections::{BTreeMap, BTreeSet};

/// In which sense two things are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// The document, and so all below it.
    Document,
    /// All images, but not what names them.
    Images,
    /// What is said and what is in the layers, however it is written.
    Content,
}

/// All that there is to tell.
#[derive(Debug)]
pub struct Comparison {
    /// The one's name and root.
    pub a: Named,
    /// The other's.
    pub b: Named,
    /// The closest sense; none where anything differs.
    pub same: Option<Same>,
    /// What the two indexes say differently of themselves.
    pub index: Vec<Change>,
    /// Image by image: those of the first in their order, then what only the second has.
    pub images: Vec<Compared>,
    /// Entries that are no images, and only the one has.
    pub only_a: Vec<Descriptor>,
    /// And only the other.
    pub only_b: Vec<Descriptor>,
}

/// A reference and what it means.
#[derive(Debug)]
pub struct Named {
    /// As people write it.
    pub reference: String,
    /// Index or manifest.
    pub root: Descriptor,
}

/// An image of one side or of both.
#[derive(Debug, Default)]
pub struct Compared {
    /// The one's.
    pub a: Option<Entry>,
    /// The other's.
    pub b: Option<Entry>,
    /// The closest sense in which the images are the same, whatever is said of them.
    pub same: Option<Same>,
    /// What the indexes say differently of it.
    pub entry: Vec<Change>,
    /// What manifest and config say differently.
    pub changes: Vec<Change>,
    /// The layers, where manifests differ.
    pub layers: Option<Layers>,
    /// The steps, where configs do.
    pub history: Option<History>,
}

impl Comparison {
    /// Two names for one root: there is nothing more to read.
    pub fn same_root(a: Found, b: Found) -> Comparison {
        let named = |found: Found| Named { reference: found.name(), root: found.descriptor };
        Comparison {
            a: named(a),
            b: named(b),
            same: Some(Same::Document),
            index: Vec::new(),
            images: Vec::new(),
            only_a: Vec::new(),
            only_b: Vec::new(),
        }
    }

    /// Compares two sides; `chosen` says that their images were asked for by platform, and go together in their order.
    ///
    /// # Errors
    /// A document that cannot be fetched or breaks its specification.
    pub fn read(ctx: &impl Context, mut a: Side, mut b: Side, chosen: bool) -> Result<Comparison, Failure> {
        let indexes = a.is_index() && b.is_index();
        let mut pairs = match chosen {
            true => by_choice(&a, &b),
            false => by_platform(&a.entries, &b.entries),
        };
        // One image is compared with the same in the other: that there are more is no difference.
        if a.is_index() != b.is_index() && !pairs.both.is_empty() {
            (pairs.only_a, pairs.only_b) = Default::default();
        }
        let (mut index, mut only_a, mut only_b) = Default::default();
        if indexes && !chosen {
            index = index_changes(&a, &b)?;
            let others = Pairs::of(&a.other, &b.other, &[&|entry: &Descriptor| Some(entry.digest.clone())]);
            only_a = pick(&a.other, &others.only_a);
            only_b = pick(&b.other, &others.only_b);
        }
        ahead(ctx, &a, &b, &pairs);
        let (names, mut of_a, mut of_b) = ((a.name, b.name), taken(&mut a.entries), taken(&mut b.entries));
        let mut images = Vec::new();
        for pair in &pairs.both {
            if let (Some(a), Some(b)) = (take(&mut of_a, pair.a), take(&mut of_b, pair.b)) {
                images.push((pair.a, compare(ctx, a, b, (&names.0, &names.1), indexes)?));
            }
        }
        for &position in &pairs.only_a {
            images.push((position, Compared { a: take(&mut of_a, position), ..Compared::default() }));
        }
        images.sort_by_key(|(position, _)| *position);
        let mut images: Vec<Compared> = images.into_iter().map(|(_, image)| image).collect();
        images.extend(pairs.only_b.iter().map(|&place| Compared { b: take(&mut of_b, place), ..Compared::default() }));

        let same_but_for_images = index.is_empty() && only_a.is_empty() && only_b.is_empty();
        let same = match same_but_for_images && images.iter().all(|image| !image.differs()) {
            false => None,
            true if images.iter().all(|image| image.same == Some(Same::Document)) => Some(Same::Images),
            true => Some(Same::Content),
        };
        Ok(Comparison {
            a: Named { reference: names.0, root: a.root.descriptor },
            b: Named { reference: names.1, root: b.root.descriptor },
            same,
            index,
            images,
            only_a,
            only_b,
        })
    }
}

impl Compared {
    /// Whether anything is to be told: the image itself, or what is said of it.
    pub fn differs(&self) -> bool {
        self.same.is_none() || !self.entry.is_empty()
    }
}

/// Each entry, to be taken once.
fn taken(entries: &mut Vec<Entry>) -> Vec<Option<Entry>> {
    std::mem::take(entries).into_iter().map(Some).collect()
}

fn take(entries: &mut [Option<Entry>], position: usize) -> Option<Entry> {
    entries.get_mut(position)?.take()
}

fn pick(entries: &[Descriptor], positions: &[usize]) -> Vec<Descriptor> {
    positions.iter().filter_map(|&position| entries.get(position)).cloned().collect()
}

/// The images that were chosen for one platform go together; what several platforms chose is told once.
fn by_choice(a: &Side, b: &Side) -> Pairs {
    let mut seen = BTreeSet::new();
    let both = a.entries.iter().zip(&b.entries).enumerate();
    let both = both.filter(|(_, (a, b))| seen.insert((&a.descriptor.digest, &b.descriptor.digest)));
    let both = both.map(|(place, _)| Pair { a: place, b: place, by: 0 }).collect();
    Pairs { both, ..Pairs::default() }
}

/// The same image for the same platform, else the same platform, else the same build of a Windows whose revision differs;
/// two images alone in any case.
fn by_platform(a: &[Entry], b: &[Entry]) -> Pairs {
    type Key = (Option<Platform>, Option<String>);
    let equal =
        |entry: &Entry| -> Option<Key> { Some((entry.platform.clone(), Some(entry.descriptor.digest.to_string()))) };
    let platform = |entry: &Entry| -> Option<Key> { Some((Some(entry.platform.clone()?), None)) };
    let build = |entry: &Entry| -> Option<Key> {
        let mut platform = entry.platform.clone()?;
        platform.os_version = platform.os_version.split('.').take(3).collect::<Vec<_>>().join(".");
        Some((Some(platform), None))
    };
    match (a, b) {
        ([_], [_]) => Pairs { both: vec![Pair { a: 0, b: 0, by: 0 }], ..Pairs::default() },
        _ => Pairs::of(a, b, &[&equal, &platform, &build]),
    }
}

/// Starts the host on the configs that are going to be asked for.
fn ahead(ctx: &impl Context, a: &Side, b: &Side, pairs: &Pairs) {
    let mut of_a = Vec::new();
    let mut of_b = Vec::new();
    for pair in &pairs.both {
        let manifest = |side: &Side, place| side.entries.get(place).and_then(Entry::manifest).cloned();
        if let (Some(one), Some(other)) = (manifest(a, pair.a), manifest(b, pair.b))
            && one != other
            && one.is_image()
            && other.is_image()
        {
            if other.config.digest != one.config.digest {
                of_b.push(other.config.bare());
            }
            of_a.push(one.config.bare());
        }
    }
    portolan_sdk::traverse::prefetch(ctx, &a.root.repository, &of_a);
    portolan_sdk::traverse::prefetch(ctx, &b.root.repository, &of_b);
}

/// What two indexes say of themselves, whatever they have in them.
fn index_changes(a: &Side, b: &Side) -> Result<Vec<Change>, Failure> {
    let own = |side: &'_ Side| -> Result<Value<'static>, Failure> {
        let index = said::read(&side.name, &side.root.bytes)?;
        Ok(said::owned(&said::without(index, &["schemaVersion", "mediaType", "manifests"])))
    };
    let mut changes = Vec::new();
    said::differ(&["index"], Some(&own(a)?), Some(&own(b)?), &mut changes);
    Ok(changes)
}

fn compare(ctx: &impl Context, a: Entry, b: Entry, names: (&str, &str), indexes: bool) -> Result<Compared, Failure> {
    let mut compared = Compared { same: Some(Same::Document), ..Compared::default() };
    if indexes {
        compared.entry = entry_changes(&a, &b)?;
    }
    if a.descriptor.digest != b.descriptor.digest {
        match (there(&a, names.0)?, there(&b, names.1)?) {
            (one, other) if one.manifest.is_image() && other.manifest.is_image() => {
                compared.images(ctx, (one, names.0), (other, names.1))?;
            }
            (one, other) => compared.artifacts((one, names.0), (other, names.1))?,
        }
        let layers = compared.layers.as_ref().is_some_and(Layers::same);
        let history = compared.history.as_ref().is_none_or(History::same);
        compared.same = (layers && history && compared.changes.is_empty()).then_some(Same::Content);
    }
    Ok(Compared { a: Some(a), b: Some(b), ..compared })
}

/// A manifest that is there to be compared.
fn there<'e>(entry: &'e Entry, name: &str) -> Result<&'e Image, Failure> {
    entry.image.as_ref().ok_or_else(|| {
        let platform = entry.platform.as_ref().map_or_else(String::new, |platform| format!(" for {}", platform.long()));
        let message = format!("{name} names {}{platform}, which is not there", entry.descriptor.digest);
        Failure::not_found(message).hint("choose among what is there with --platform")
    })
}

/// What two indexes say of one image: descriptors as far as they say more than what the image is, and attestations.
fn entry_changes(a: &Entry, b: &Entry) -> Result<Vec<Change>, Failure> {
    let mut besides = vec!["mediaType", "digest", "size"];
    if a.platform == b.platform {
        besides.push("platform");
    }
    let mut changes = Vec::new();
    let said = |entry: &Entry| Ok::<_, Failure>(said::without(said::of(&entry.descriptor)?, &besides));
    said::differ(&["entry"], Some(&said(a)?), Some(&said(b)?), &mut changes);
    if let (Some(of_a), Some(of_b)) = (a.predicates(), b.predicates()) {
        said::differ(&["entry", "attestations"], Some(&counted(&of_a)), Some(&counted(&of_b)), &mut changes);
    }
    Ok(changes)
}

/// How often each is there.
fn counted(types: &[&str]) -> Value<'static> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in types {
        *counts.entry(one).or_default() += 1;
    }
    let counts =
        counts.into_iter().map(|(one, count)| (one.to_owned().into(), Value::Number(count.to_string().into())));
    Value::Map(counts.collect())
}

impl Compared {
    fn images(
        &mut self,
        ctx: &impl Context,
        (a, of_a): (&Image, &str),
        (b, of_b): (&Image, &str),
    ) -> Result<(), Failure> {
        let at = |image: &Image, name: &str| format!("{} in {name}", image.descriptor.digest);
        let one = a.config(ctx)?;
        // A layer that is compressed anew leaves the config as it is.
        let other = if a.manifest.config.digest == b.manifest.config.digest { one } else { b.config(ctx)? };
        let layers = |image: &Image, name: &str, config| {
            stack::layers(&image.manifest, Some(config)).map_err(|error| Failure::from(error).context(at(image, name)))
        };
        self.layers = Some(Layers::compare(layers(a, of_a, &one.config)?, layers(b, of_b, &other.config)?));
        self.manifests((a, of_a), (b, of_b), &["schemaVersion", "mediaType", "config", "layers"])?;
        if one.bytes != other.bytes {
            let read =
                |image: &Image, name: &str, bytes| said::read(format_args!("the config of {}", at(image, name)), bytes);
            let (one, other) = (read(a, of_a, &one.bytes)?, read(b, of_b, &other.bytes)?);
            let member =
                |config: &Value<'_>| said::members(config).and_then(|all| all.get("history").copied().map(said::owned));
            self.history = Some(History::compare(member(&one).as_ref(), member(&other).as_ref()));
            said::differ(&["config"], Some(&config(one)), Some(&config(other)), &mut self.changes);
        }
        self.layer_changes();
        Ok(())
    }

    /// What is no image has a config of its own kind, of which the descriptor is compared, and layers without diff-ids.
    fn artifacts(&mut self, a: (&Image, &str), b: (&Image, &str)) -> Result<(), Failure> {
        self.layers = Some(Layers::compare(stack::layers(&a.0.manifest, None)?, stack::layers(&b.0.manifest, None)?));
        self.manifests(a, b, &["schemaVersion", "mediaType", "layers"])?;
        self.layer_changes();
        Ok(())
    }

    fn manifests(
        &mut self,
        (a, of_a): (&Image, &str),
        (b, of_b): (&Image, &str),
        besides: &[&str],
    ) -> Result<(), Failure> {
        let own = |image: &'_ Image, name: &str| -> Result<Value<'static>, Failure> {
            let manifest = said::read(format_args!("{} in {name}", image.descriptor.digest), &image.bytes)?;
            Ok(said::owned(&said::without(manifest, besides)))
        };
        said::differ(&["manifest"], Some(&own(a, of_a)?), Some(&own(b, of_b)?), &mut self.changes);
        Ok(())
    }

    /// What is said differently of one blob. Of another blob with the same content most of it is about the compression.
    fn layer_changes(&mut self) {
        let Some(layers) = &self.layers else { return };
        for pair in layers.pairs.both.iter().filter(|pair| same_blob(pair)) {
            let Some((a, b)) = layers.pair(pair) else { continue };
            let (a, b) = (&a.descriptor, &b.descriptor);
            if a.annotations != b.annotations {
                let map = |from: &Descriptor| {
                    let pairs = from.annotations.iter();
                    Value::Map(
                        pairs.map(|(key, value)| (key.clone().into(), Value::Text(value.clone().into()))).collect(),
                    )
                };
                let path = ["manifest", "layers", a.digest.as_str(), "annotations"];
                said::differ(&path, Some(&map(a)), Some(&map(b)), &mut self.changes);
            }
        }
    }
}

/// What a config says beside its history and its layers, which are compared for themselves, with the environment by key.
fn config(config: Value<'_>) -> Value<'_> {
    let Value::Map(mut members) = config else { return config };
    members.retain(|(key, _)| key != "history");
    for (key, value) in &mut members {
        let inner = std::mem::replace(value, Value::Null);
        *value = match (key.as_ref(), inner) {
            ("rootfs", inner) => said::without(inner, &["diff_ids"]),
            ("config", Value::Map(mut fields)) => {
                for (key, field) in &mut fields {
                    if key == "Env" {
                        *field = said::by_key(std::mem::replace(field, Value::Null));
                    }
                }
                Value::Map(fields)
            }
            (_, inner) => inner,
        };
    }
    Value::Map(members)
}
