//! Text tables for people: columns aligned, two spaces between, no space at a line's end.

use std::fmt;

/// Where a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells, printed by [`Display`](fmt::Display), each line ended.
#[derive(Debug, Clone, Default)]
pub struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
    indent: usize,
}

impl Table {
    /// A table with this first line.
    pub fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Self {
        let mut table = Table::default();
        table.row(header);
        table
    }

    /// A table without a first line.
    pub fn plain() -> Self {
        Table::default()
    }

    /// Puts so many spaces before each line.
    #[must_use]
    pub fn indent(mut self, spaces: usize) -> Self {
        self.indent = spaces;
        self
    }

    /// Aligns a column, counted from 0, to the right.
    #[must_use]
    pub fn right(mut self, column: usize) -> Self {
        if self.align.len() <= column {
            self.align.resize(column + 1, Align::Left);
        }
        if let Some(align) = self.align.get_mut(column) {
            *align = Align::Right;
        }
        self
    }

    /// Adds a line. A cell stays on it: control characters, of which an annotation may be full, are written as escapes.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| on_one_line(cell.into())).collect());
    }

    /// Whether there is nothing to print.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                let width = cell.chars().count();
                match widths.get_mut(column) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let mut line = String::new();
        for row in &self.rows {
            line.clear();
            line.extend(std::iter::repeat_n(' ', self.indent));
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                if column > 0 {
                    line.push_str("  ");
                }
                let padding = std::iter::repeat_n(' ', width - cell.chars().count());
                if self.align.get(column) == Some(&Align::Right) {
                    line.extend(padding);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.extend(padding);
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn on_one_line(cell: String) -> String {
    if !cell.contains(char::is_control) {
        return cell;
    }
    let mut escaped = String::with_capacity(cell.len() + 8);
    for c in cell.chars() {
        match c.is_control() {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped
}

/// A size for people: bytes as they are below 1000, else two digits and more with a decimal unit, as registries show them.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would print as 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_clean() {
        let mut table = Table::new(["PLATFORM", "SIZE", "DIGEST"]).right(1).indent(2);
        table.row(["linux/amd64", "1.2 kB", "sha256:1"]);
        table.row(["ä", "7 B"]);
        assert_eq!(
            table.to_string(),
            "  PLATFORM       SIZE  DIGEST\n  linux/amd64  1.2 kB  sha256:1\n  ä               7 B\n"
        );
        assert_eq!(Table::plain().to_string(), "");
        let mut table = Table::plain();
        table.row(["a\nb", "\u{1b}[2J\tü\\"]);
        assert_eq!(table.to_string(), "a\\nb  \\u{1b}[2J\\tü\\\n");
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1049, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
    }
}
