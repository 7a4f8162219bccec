//! TOML that remembers its lines: a file's tables, and typed looks at their values. What does not fit is an error that
//! says file, line and what was expected.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{Said, Source};

pub(super) type Table<'a> = DeTable<'a>;
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// A file's text, and how messages call the file.
#[derive(Debug, Clone)]
pub(super) struct Document<'a> {
    text: &'a str,
    file: Arc<str>,
}

impl<'a> Document<'a> {
    pub(super) fn new(text: &'a str, file: &str) -> Document<'a> {
        Document { text, file: file.into() }
    }

    /// The table of everything.
    pub(super) fn table(&self) -> Result<Table<'a>, String> {
        DeTable::parse(self.text).map(Spanned::into_inner).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("{}: {}", self.at(at..at), error.message())
        })
    }

    /// All of the file.
    pub(super) fn whole(&self) -> Source {
        Source::File { file: Arc::clone(&self.file), line: None }
    }

    pub(super) fn at(&self, span: Range<usize>) -> Source {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Source::File { file: Arc::clone(&self.file), line: Some(before.matches('\n').count() + 1) }
    }

    pub(super) fn wrong<T>(&self, value: &Value<'_>, what: impl std::fmt::Display) -> Result<T, String> {
        Err(format!("{}: {what}", self.at(value.span())))
    }

    /// The keys of a table in the order of the file.
    pub(super) fn keys<'t>(&self, table: &'t Table<'a>) -> Vec<(Said<&'t str>, &'t Value<'a>)> {
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        keys.into_iter().map(|(key, value)| (Said::new(&**key.get_ref(), self.at(key.span())), value)).collect()
    }

    pub(super) fn subtable<'t>(&self, value: &'t Value<'a>) -> Result<&'t Table<'a>, String> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => self.wrong(value, "this is to be a table"),
        }
    }

    pub(super) fn list<'t>(&self, value: &'t Value<'a>) -> Result<Vec<&'t Value<'a>>, String> {
        match value.get_ref() {
            DeValue::Array(values) => Ok(values.iter().collect()),
            _ => self.wrong(value, "this is to be a list"),
        }
    }

    pub(super) fn string(&self, value: &Value<'_>) -> Result<Said<String>, String> {
        match value.get_ref() {
            DeValue::String(text) => Ok(Said::new((**text).to_owned(), self.at(value.span()))),
            _ => self.wrong(value, "this is to be a text"),
        }
    }

    pub(super) fn strings(&self, value: &Value<'a>) -> Result<Vec<Said<String>>, String> {
        self.list(value)?.into_iter().map(|value| self.string(value)).collect()
    }

    pub(super) fn boolean(&self, value: &Value<'_>) -> Result<Said<bool>, String> {
        match value.get_ref() {
            DeValue::Boolean(truth) => Ok(Said::new(*truth, self.at(value.span()))),
            _ => self.wrong(value, "this is to be true or false"),
        }
    }

    /// Fails as [`wrong`](Self::wrong) does where `parse` does.
    pub(super) fn parsed<T, R>(
        &self,
        said: &Said<T>,
        parse: impl FnOnce(&T) -> Result<R, String>,
    ) -> Result<R, String> {
        parse(&said.value).map_err(|what| format!("{}: {what}", said.by))
    }
}
