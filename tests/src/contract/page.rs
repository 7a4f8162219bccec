//! The contract as a page of the book: what `wit/` says, worlds first, then each interface with its functions and its types.

use std::fmt::Write as _;

use wit_parser::{Docs, Resolve, Type, TypeDef, TypeDefKind, WorldItem, WorldKey};

use super::{Contract, Items};

const HEAD: &str = "\
A frontend is a component of the world `reader`, or `writer`; a strategy is one of `judgement`. This page says in one place what
the files in [`wit/`](../wit) say, and is made of them (`BLESS=1 cargo test --workspace --test contract`).

";

impl Contract {
    /// `docs/contract.md`.
    pub fn page(&self) -> String {
        let resolve = self.parse();
        let (_, package) = resolve.packages.iter().next().expect("a package");
        let mut page = format!("# The contract, `{}`\n\n{HEAD}", package.name);
        page.push_str("| world | imports | exports | |\n|---|---|---|---|\n");
        for (name, &id) in &package.worlds {
            let world = &resolve.worlds[id];
            let of = |items: &wit_parser::IndexMap<WorldKey, WorldItem>| {
                let names = items.keys().map(|key| format!("`{}`", interface(&resolve, key)));
                names.collect::<Vec<_>>().join(", ")
            };
            writeln!(page, "| `{name}` | {} | {} | {} |", of(&world.imports), of(&world.exports), cell(&world.docs))
                .unwrap();
        }
        for (name, &id) in &package.interfaces {
            let interface = &resolve.interfaces[id];
            write!(page, "\n## `{name}`\n\n{}", text(&interface.docs)).unwrap();
            let mut items = Items::of(&resolve);
            for (name, function) in &interface.functions {
                let shape = items.function(&resolve, function).replace(", )", ")");
                write!(page, "\n### `{name}`\n\n```wit\n{name}: {shape}\n```\n\n{}", text(&function.docs)).unwrap();
            }
            for (name, &id) in &interface.types {
                let TypeDef { kind, docs, .. } = &resolve.types[id];
                let (what, rows) = match kind {
                    // What is used from elsewhere stands there.
                    TypeDefKind::Type(Type::Id(_)) => continue,
                    kind => members(&resolve, &mut items, kind),
                };
                write!(page, "\n### {what} `{name}`\n\n{}", text(docs)).unwrap();
                if !rows.is_empty() {
                    page.push_str("\n| | | |\n|---|---|---|\n");
                    for [name, ty, docs] in rows {
                        writeln!(page, "| `{name}` | {ty} | {docs} |").unwrap();
                    }
                }
            }
        }
        // Items without words leave two empty lines.
        while page.contains("\n\n\n") {
            page = page.replace("\n\n\n", "\n\n");
        }
        page.trim_end().to_owned() + "\n"
    }
}

fn interface(resolve: &Resolve, key: &WorldKey) -> String {
    match key {
        WorldKey::Interface(id) => resolve.interfaces[*id].name.clone().unwrap_or_default(),
        WorldKey::Name(name) => name.clone(),
    }
}

/// What kind of type it is, and its members: name, type, words.
fn members(resolve: &Resolve, items: &mut Items, kind: &TypeDefKind) -> (String, Vec<[String; 3]>) {
    let mut ty = |ty: &Type| format!("`{}`", items.ty(resolve, ty));
    let none = String::new;
    match kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            ("record".into(), fields.map(|field| [field.name.clone(), ty(&field.ty), cell(&field.docs)]).collect())
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            let cases =
                cases.map(|case| [case.name.clone(), case.ty.as_ref().map_or_else(none, &mut ty), cell(&case.docs)]);
            ("variant".into(), cases.collect())
        }
        TypeDefKind::Enum(all) => {
            ("enum".into(), all.cases.iter().map(|case| [case.name.clone(), none(), cell(&case.docs)]).collect())
        }
        TypeDefKind::Flags(all) => {
            ("flags".into(), all.flags.iter().map(|flag| [flag.name.clone(), none(), cell(&flag.docs)]).collect())
        }
        other => (format!("`{}`,", items.kind(resolve, other)), Vec::new()),
    }
}

fn text(docs: &Docs) -> String {
    docs.contents.as_ref().map_or_else(String::new, |text| text.trim().to_owned() + "\n")
}

fn cell(docs: &Docs) -> String {
    text(docs).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
