//! The contract (`wit/`) as data, and whether a later one still serves what was built against an earlier one.
//!
//! A component carries the shapes of what it imports and exports, so the rules follow from who gives and who takes. What
//! the host gives (imported interfaces) may grow; what a component gives (`frontend`, `image-resolver`, `strategy`) may not,
//! as a host looks for all of it in old components too; the shape of a value may never change. Words for people are free.
//!
//! Not here: whether a host keeps to it. Components that were built once and are kept show that (`tests/contract.rs`).

mod page;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Function, FunctionKind, InterfaceId, ManglingAndAbi, Resolve, SourceMap, Stability, Type, TypeDefKind, WorldItem,
    WorldKey,
};

fn encoded(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .unwrap_or_else(|error| panic!("{error:#}"))
}

/// What components export and nobody else: each function of them is looked for in every component, however old.
const FROZEN: [&str; 3] = ["frontend", "image-resolver", "strategy"];
/// The world of what stands in the host's place: it gives what hosts give, and grows with them.
const HOSTS: &str = "provider";

/// The files of one version of the contract: names and texts.
#[derive(Debug, Clone)]
pub struct Contract(BTreeMap<String, String>);

impl Contract {
    /// The one in `wit/`.
    pub fn current() -> Self {
        Self::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))
    }

    /// A copy of what was released.
    pub fn released(version: &str) -> Self {
        Self::read(&crate::fixtures::folder().join("wit").join(version))
    }

    fn read(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        let text =
            |path: &PathBuf| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Contract(files.iter().map(|path| (name(path), text(path))).collect())
    }

    /// The same with one place of it written otherwise.
    #[must_use]
    pub fn with(&self, from: &str, to: &str) -> Self {
        let places: usize = self.0.values().map(|text| text.matches(from).count()).sum();
        assert_eq!(places, 1, "{from:?} is there {places} times");
        self.everywhere(from, to)
    }

    /// The same with all places of it written otherwise.
    #[must_use]
    pub fn everywhere(&self, from: &str, to: &str) -> Self {
        Contract(self.0.iter().map(|(name, text)| (name.clone(), text.replace(from, to))).collect())
    }

    fn parse(&self) -> Resolve {
        let mut sources = SourceMap::new();
        for (name, text) in &self.0 {
            sources.push_str(name, text.as_str());
        }
        let mut resolve = Resolve::default();
        let group = sources.parse().unwrap_or_else(|(sources, error)| panic!("{}", error.render(&sources)));
        resolve.push_group(group).unwrap_or_else(|error| panic!("{error}"));
        resolve
    }

    /// A component of one of its worlds, with nothing in it: every function traps. For what is judged before anything
    /// runs.
    pub fn component(&self, world: &str) -> Vec<u8> {
        let resolve = self.parse();
        let (package, _) = resolve.packages.iter().next().expect("a package");
        let world = resolve.select_world(&[package], Some(world)).expect("the world");
        let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Standard32);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("a module");
        encoded(&module)
    }

    /// The component of one of its worlds around a core module that was written by hand.
    pub fn around(&self, world: &str, mut module: Vec<u8>) -> Vec<u8> {
        let resolve = self.parse();
        let (package, _) = resolve.packages.iter().next().expect("a package");
        let world = resolve.select_world(&[package], Some(world)).expect("the world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("a module");
        encoded(&module)
    }

    /// What of a `later` contract breaks components that were built against this one, or hosts and authors that know this
    /// one; empty where nothing does.
    pub fn broken_by(&self, later: &Contract) -> Vec<String> {
        let (old, new) = (Items::of(&self.parse()), Items::of(&later.parse()));
        let mut broken = new.ugly.clone();
        if old.track != new.track {
            broken.push(format!("{} is another contract than {}", new.track, old.track));
        }
        for (item, shape) in &old.shapes {
            match new.shapes.get(item) {
                None => broken.push(format!("{item} is gone")),
                Some(now) if now != shape => broken.push(format!("{item} was {shape} and is {now}")),
                Some(_) => {}
            }
        }
        let added = new.shapes.keys().filter(|item| !old.shapes.contains_key(*item));
        for item in added {
            // What is new in a new room is as old as the room.
            let in_old_room = item.split_once(", ").is_none_or(|(room, _)| old.shapes.contains_key(room));
            let inside = |room: &str| {
                old.shapes.contains_key(room) && item.strip_prefix(room).is_some_and(|rest| rest.starts_with(", "))
            };
            if FROZEN.iter().any(|name| inside(&format!("interface {name}"))) {
                broken.push(format!("{item} is new in what components export"));
            } else if item.contains(", export ")
                && !item.starts_with(&format!("world {HOSTS},"))
                && old.shapes.keys().any(|room| room.starts_with("world ") && inside(room))
            {
                broken.push(format!("{item} is new: what was built for that world has no such thing"));
            } else if in_old_room && new.since.get(item).is_some_and(|since| *since <= old.version) {
                broken.push(format!("{item} is new, and does not say since when"));
            }
        }
        broken
    }
}

/// Everything that has a name, each with its shape in words: what matters and no more.
struct Items {
    /// The package, and the part of its version within which everything fits.
    track: String,
    version: semver::Version,
    /// `interface NAME`, `interface NAME, func NAME`, `interface NAME, type NAME`, `world NAME, import NAME`, …
    shapes: BTreeMap<String, String>,
    /// Since when each is there, as far as it must say so.
    since: BTreeMap<String, semver::Version>,
    /// What no version of the contract may have.
    ugly: Vec<String>,
}

impl Items {
    fn of(resolve: &Resolve) -> Self {
        let packages: Vec<_> = resolve.packages.iter().map(|(_, package)| package).collect();
        let [package] = packages.as_slice() else { panic!("the contract depends on no other package") };
        let version = package.name.version.clone().expect("a version");
        let track = match version.major {
            0 => format!("{}:{}@0.{}", package.name.namespace, package.name.name, version.minor),
            major => format!("{}:{}@{major}", package.name.namespace, package.name.name),
        };
        let mut items = Items { track, version, shapes: BTreeMap::new(), since: BTreeMap::new(), ugly: Vec::new() };
        for (name, &id) in &package.interfaces {
            items.interface(resolve, &format!("interface {name}"), id);
        }
        for (name, &id) in &package.worlds {
            let world = &resolve.worlds[id];
            let room = format!("world {name}");
            items.add(room.clone(), String::new(), Some(&world.stability));
            for (way, all) in [("import", &world.imports), ("export", &world.exports)] {
                for (key, item) in all {
                    let what = match (key, item) {
                        (WorldKey::Interface(id), WorldItem::Interface { .. }) => {
                            resolve.interfaces[*id].name.clone().unwrap_or_default()
                        }
                        (key, _) => {
                            items.ugly.push(format!("{room} has {key:?} outside of an interface"));
                            continue;
                        }
                    };
                    items.add(format!("{room}, {way} {what}"), String::new(), None);
                }
            }
        }
        items
    }

    fn add(&mut self, item: String, shape: String, stability: Option<&Stability>) {
        match stability {
            Some(Stability::Stable { since, .. }) => {
                self.since.insert(item.clone(), since.clone());
            }
            // What does not say so is as old as can be.
            Some(_) => {
                self.since.insert(item.clone(), semver::Version::new(0, 0, 0));
            }
            None => {}
        }
        self.shapes.insert(item, shape);
    }

    fn interface(&mut self, resolve: &Resolve, room: &str, id: InterfaceId) {
        let interface = &resolve.interfaces[id];
        self.add(room.to_owned(), String::new(), Some(&interface.stability));
        for (name, &id) in &interface.types {
            let ty = &resolve.types[id];
            let shape = self.kind(resolve, &ty.kind);
            // A `use` says nothing of itself.
            let stability = (!matches!(ty.kind, TypeDefKind::Type(_))).then_some(&ty.stability);
            self.add(format!("{room}, type {name}"), shape, stability);
        }
        for (name, function) in &interface.functions {
            let shape = self.function(resolve, function);
            self.add(format!("{room}, func {name}"), shape, Some(&function.stability));
        }
    }

    fn function(&mut self, resolve: &Resolve, function: &Function) -> String {
        if !matches!(function.kind, FunctionKind::Freestanding) {
            self.ugly.push(format!("{} is no plain synchronous function", function.name));
        }
        let mut text = "func(".to_owned();
        for parameter in &function.params {
            let _ = write!(text, "{}: {}, ", parameter.name, self.ty(resolve, &parameter.ty));
        }
        let _ = write!(text, ")");
        if let Some(result) = &function.result {
            let _ = write!(text, " -> {}", self.ty(resolve, result));
        }
        text
    }

    fn ty(&mut self, resolve: &Resolve, ty: &Type) -> String {
        let Type::Id(id) = ty else { return format!("{ty:?}").to_lowercase() };
        let ty = &resolve.types[*id];
        match (&ty.name, &ty.kind) {
            // What is used from elsewhere is what it is there.
            (_, TypeDefKind::Type(origin)) => self.ty(resolve, origin),
            (Some(name), _) => name.clone(),
            (None, kind) => self.kind(resolve, kind),
        }
    }

    fn kind(&mut self, resolve: &Resolve, kind: &TypeDefKind) -> String {
        let all = |names: Vec<String>| format!("{{ {} }}", names.join(", "));
        match kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let fields = fields.map(|field| format!("{}: {}", field.name, self.ty(resolve, &field.ty))).collect();
                format!("record {}", all(fields))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| match &case.ty {
                    Some(ty) => format!("{}({})", case.name, self.ty(resolve, ty)),
                    None => case.name.clone(),
                });
                format!("variant {}", all(cases.collect()))
            }
            TypeDefKind::Enum(cases) => {
                format!("enum {}", all(cases.cases.iter().map(|case| case.name.clone()).collect()))
            }
            TypeDefKind::Flags(flags) => {
                format!("flags {}", all(flags.flags.iter().map(|flag| flag.name.clone()).collect()))
            }
            TypeDefKind::Tuple(tuple) => {
                format!("tuple {}", all(tuple.types.iter().map(|ty| self.ty(resolve, ty)).collect()))
            }
            TypeDefKind::Option(ty) => format!("option<{}>", self.ty(resolve, ty)),
            TypeDefKind::List(ty) => format!("list<{}>", self.ty(resolve, ty)),
            TypeDefKind::Result(result) => {
                let mut part = |ty: &Option<Type>| ty.map_or("_".to_owned(), |ty| self.ty(resolve, &ty));
                format!("result<{}, {}>", part(&result.ok), part(&result.err))
            }
            TypeDefKind::Type(ty) => self.ty(resolve, ty),
            other => {
                self.ugly.push(format!("{other:?} is no plain value"));
                String::new()
            }
        }
    }
}
