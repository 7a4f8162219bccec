//! Files of configuration: TOML that remembers its lines, so that every value has with it who said it. What does not fit is
//! an error that says file, line and what was expected.
//!
//! Not here: what any key means.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File {
        /// Its path, or how a stored file is called.
        file: Arc<str>,
        /// Counted from 1; `None` where all of the file is meant, or the folder that it is in.
        line: Option<usize>,
    },
    /// An option of whoever asks: `--insecure`.
    Option(&'static str),
    /// Nobody, so a rule holds.
    Default(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File { file, line: Some(line) } => write!(f, "{file}:{line}"),
            Source::File { file, line: None } => f.write_str(file),
            Source::Option(option) => f.write_str(option),
            Source::Default(rule) => f.write_str(rule),
        }
    }
}

/// A value and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) by: Source,
}

impl<T> Said<T> {
    pub(crate) fn new(value: T, by: Source) -> Said<T> {
        Said { value, by }
    }
}

pub(crate) type Table<'a> = DeTable<'a>;
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// A file's text, and how messages call the file.
#[derive(Debug, Clone)]
pub(crate) struct Document<'a> {
    text: &'a str,
    file: Arc<str>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(text: &'a str, file: &str) -> Document<'a> {
        Document { text, file: file.into() }
    }

    /// The table of everything.
    pub(crate) fn table(&self) -> Result<Table<'a>, String> {
        DeTable::parse(self.text).map(Spanned::into_inner).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("{}: {}", self.at(at..at), error.message())
        })
    }

    /// All of the file.
    pub(crate) fn whole(&self) -> Source {
        Source::File { file: Arc::clone(&self.file), line: None }
    }

    pub(crate) fn at(&self, span: Range<usize>) -> Source {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Source::File { file: Arc::clone(&self.file), line: Some(before.matches('\n').count() + 1) }
    }

    pub(crate) fn wrong<T>(&self, value: &Value<'_>, what: impl std::fmt::Display) -> Result<T, String> {
        Err(format!("{}: {what}", self.at(value.span())))
    }

    /// The keys of a table in the order of the file.
    pub(crate) fn keys<'t>(&self, table: &'t Table<'a>) -> Vec<(Said<&'t str>, &'t Value<'a>)> {
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        keys.into_iter().map(|(key, value)| (Said::new(&**key.get_ref(), self.at(key.span())), value)).collect()
    }

    pub(crate) fn subtable<'t>(&self, value: &'t Value<'a>) -> Result<&'t Table<'a>, String> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => self.wrong(value, "this is to be a table"),
        }
    }

    pub(crate) fn list<'t>(&self, value: &'t Value<'a>) -> Result<Vec<&'t Value<'a>>, String> {
        match value.get_ref() {
            DeValue::Array(values) => Ok(values.iter().collect()),
            _ => self.wrong(value, "this is to be a list"),
        }
    }

    pub(crate) fn string(&self, value: &Value<'_>) -> Result<Said<String>, String> {
        match value.get_ref() {
            DeValue::String(text) => Ok(Said::new((**text).to_owned(), self.at(value.span()))),
            _ => self.wrong(value, "this is to be a text"),
        }
    }

    pub(crate) fn strings(&self, value: &Value<'a>) -> Result<Vec<Said<String>>, String> {
        self.list(value)?.into_iter().map(|value| self.string(value)).collect()
    }

    pub(crate) fn boolean(&self, value: &Value<'_>) -> Result<Said<bool>, String> {
        match value.get_ref() {
            DeValue::Boolean(truth) => Ok(Said::new(*truth, self.at(value.span()))),
            _ => self.wrong(value, "this is to be true or false"),
        }
    }

    /// Fails as [`wrong`](Self::wrong) does where `parse` does.
    pub(crate) fn parsed<T, R>(
        &self,
        said: &Said<T>,
        parse: impl FnOnce(&T) -> Result<R, String>,
    ) -> Result<R, String> {
        parse(&said.value).map_err(|what| format!("{}: {what}", said.by))
    }
}
