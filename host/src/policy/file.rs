//! `portolan.toml` as it is written: tables, and what each says, with the lines. What nobody understands is an error: a rule
//! that is passed over protects nobody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::bound::Bound;
use super::who::Name;
use crate::Grants;
use crate::configuration::{Document, Said, Table, Value};
use crate::session::grants::InvalidPattern;
use crate::text;

/// Stands for what the references of a command line name.
pub(super) const NAMED: &str = "@named";

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) says: Says,
}

/// What a table says, as far as it says anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Says {
    pub(super) run: Option<Said<bool>>,
    /// Files of public keys.
    pub(super) signed_by: Option<Said<Vec<PathBuf>>>,
    pub(super) pull: Option<Said<Granted>>,
    pub(super) push: Option<Said<Granted>>,
    pub(super) bounds: BTreeMap<Bound, Said<u64>>,
}

/// What `pull` or `push` grants.
#[derive(Debug, Clone, Default)]
pub(super) struct Granted {
    /// What is named, whatever that is.
    pub(super) named: bool,
    /// And these, for reading or for writing.
    pub(super) patterns: Grants,
}

impl Says {
    /// What these say, and where they say nothing, what `others` do.
    pub(super) fn or(mut self, others: &Says) -> Says {
        fn or<T: Clone>(one: &mut Option<T>, other: &Option<T>) {
            if one.is_none() {
                one.clone_from(other);
            }
        }
        or(&mut self.run, &others.run);
        or(&mut self.signed_by, &others.signed_by);
        or(&mut self.pull, &others.pull);
        or(&mut self.push, &others.push);
        for (bound, said) in &others.bounds {
            self.bounds.entry(*bound).or_insert_with(|| said.clone());
        }
        self
    }
}

/// The tables of frontends and of strategies.
pub(super) fn parse(text: &str, file: &Path) -> Result<(Vec<Entry>, Vec<Entry>), String> {
    let shown = file.display().to_string();
    let document = Document::new(text, &shown);
    let folder = file.parent().unwrap_or(Path::new(""));
    let reader = Reader { document: &document, folder };
    let (mut frontends, mut strategies) = (Vec::new(), Vec::new());
    for (key, value) in document.keys(&document.table()?) {
        match key.value {
            "frontend" => frontends = reader.entries(value, true)?,
            "strategy" => strategies = reader.entries(value, false)?,
            other => {
                return Err(format!(
                    "{}: there is no [{}]; [frontend.NAME] and [strategy.NAME] are known",
                    key.by,
                    text::line(other)
                ));
            }
        }
    }
    Ok((frontends, strategies))
}

struct Reader<'d, 'a> {
    document: &'d Document<'a>,
    folder: &'d Path,
}

impl<'a> Reader<'_, 'a> {
    fn entries(&self, value: &Value<'a>, asks: bool) -> Result<Vec<Entry>, String> {
        let mut entries: Vec<Said<Entry>> = Vec::new();
        for (key, value) in self.document.keys(self.document.subtable(value)?) {
            let name = self.document.parsed(&key, |text| Name::parse(text, self.folder))?;
            if matches!(name, Name::Bundled(_)) && !asks {
                return Err(format!("{}: {:?} is a frontend, and no strategy", key.by, key.value));
            }
            if matches!(name, Name::Published(_)) && !asks {
                return Err(format!("{}: {:?} is in a registry, and strategies are files", key.by, key.value));
            }
            if let Some(other) = entries.iter().find(|entry| entry.value.name == name) {
                return Err(format!("{}: {:?} has a table already ({})", key.by, key.value, other.by));
            }
            let says = self.says(self.document.subtable(value)?, asks)?;
            if let (Name::Bundled(_), Some(signed)) = (&name, &says.signed_by) {
                return Err(format!(
                    "{}: {:?} is part of this program, and nobody else signs it",
                    signed.by, key.value
                ));
            }
            entries.push(Said::new(Entry { name, says }, key.by));
        }
        Ok(entries.into_iter().map(|entry| entry.value).collect())
    }

    fn says(&self, table: &Table<'a>, asks: bool) -> Result<Says, String> {
        let mut says = Says::default();
        for (key, value) in self.document.keys(table) {
            match key.value {
                "run" => says.run = Some(self.document.boolean(value)?),
                "signed-by" => says.signed_by = Some(self.keys(value)?),
                "pull" | "push" if !asks => {
                    return Err(format!("{}: a strategy asks nobody, so there is nothing to grant it", key.by));
                }
                "pull" => says.pull = Some(self.granted(value, Grants::pull)?),
                "push" => says.push = Some(self.granted(value, Grants::push)?),
                other => match Bound::ALL.into_iter().find(|bound| bound.name() == other) {
                    Some(bound) => drop(says.bounds.insert(bound, self.bound(bound, value)?)),
                    None => {
                        let bounds = Bound::ALL.map(Bound::name).join(", ");
                        return Err(format!(
                            "{}: there is no {other:?}; run, signed-by, pull, push, {bounds} are known",
                            key.by
                        ));
                    }
                },
            }
        }
        Ok(says)
    }

    fn keys(&self, value: &Value<'a>) -> Result<Said<Vec<PathBuf>>, String> {
        let files = self.document.strings(value)?;
        if let Some(empty) = files.iter().find(|said| said.value.is_empty()) {
            return Err(format!("{}: this is to be the file of a public key", empty.by));
        }
        let paths = files.into_iter().map(|said| self.folder.join(said.value)).collect();
        Ok(Said::new(paths, self.document.at(value.span())))
    }

    fn granted(
        &self,
        value: &Value<'a>,
        grant: impl Fn(Grants, &str) -> Result<Grants, InvalidPattern>,
    ) -> Result<Said<Granted>, String> {
        let mut granted = Granted::default();
        for said in self.document.strings(value)? {
            match said.value.as_str() {
                NAMED => granted.named = true,
                _ => {
                    let patterns = std::mem::take(&mut granted.patterns);
                    granted.patterns =
                        self.document.parsed(&said, |text| grant(patterns, text).map_err(|error| error.to_string()))?;
                }
            }
        }
        Ok(Said::new(granted, self.document.at(value.span())))
    }

    fn bound(&self, bound: Bound, value: &Value<'a>) -> Result<Said<u64>, String> {
        let said = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => {
                Said::new(number.as_str().to_owned(), self.document.at(value.span()))
            }
            _ => self.document.string(value)?,
        };
        let number = self.document.parsed(&said, |text| bound.parse(text))?;
        Ok(Said::new(number, said.by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        for (text, line, says) in [
            ("x", 1, "key"),
            ("[frontends.a]\n", 1, "there is no [frontends]"),
            ("frontend = 1\n", 1, "this is to be a table"),
            ("[frontend]\ninspect = 1\n", 2, "this is to be a table"),
            ("\n[frontend.nobody]\n", 2, "neither a bundled frontend"),
            ("[frontend.inspect]\nmemroy = \"1 MiB\"\n", 2, "there is no \"memroy\""),
            ("[frontend.inspect]\nmemory = \"1 MB\"\n", 2, "memory is to be a whole number"),
            ("[frontend.inspect]\nmemory = 1.5\n", 2, "this is to be a text"),
            ("[frontend.inspect]\nmemory = -1\n", 2, "memory is to be a whole number"),
            ("[frontend.inspect]\nhost-calls = 0x10\n", 2, "this is to be a text"),
            ("[frontend.inspect]\ncpu = 2\n", 2, "with a unit of ms, s, min, h"),
            ("[frontend.inspect]\nrun = \"no\"\n", 2, "this is to be true or false"),
            ("[frontend.inspect]\npull = \"*\"\n", 2, "this is to be a list"),
            (
                "[frontend.inspect]\npull = [\n  \"r.example/a\",\n  \"R.example/A\",\n]\n",
                4,
                "is no pattern of a grant",
            ),
            ("[frontend.inspect]\npush = [\"@name\"]\n", 2, "is no pattern of a grant"),
            ("[frontend.\"*\"]\nsigned-by = [\"\"]\n", 2, "the file of a public key"),
            ("[frontend.inspect]\nsigned-by = [\"x\"]\n", 2, "is part of this program"),
            ("[strategy.\"oci://*\"]\n", 1, "strategies are files"),
            ("[frontend.inspect]\n[frontend.inspect]\n", 2, "duplicate key"),
            ("[frontend.\"oci://alpine\"]\n[frontend.\"oci://docker.io/library/alpine\"]\n", 2, "has a table already"),
            ("[frontend.\"a.wasm\"]\n[frontend.\"./a.wasm\"]\n", 2, "has a table already (dir/portolan.toml:1)"),
            ("[strategy.inspect]\n", 1, "is a frontend, and no strategy"),
            ("[strategy.\"a.wasm\"]\npull = []\n", 2, "a strategy asks nobody"),
        ] {
            let error = parse(text, Path::new("dir/portolan.toml")).unwrap_err();
            let at = format!("dir/portolan.toml:{line}: ");
            assert!(error.starts_with(&at) && error.contains(says), "{text:?}: {error}");
        }
    }
}
