//! Output: tables of aligned columns, facts, or one JSON object a line.

use std::io::Write as _;

use serde_json::Value;

use crate::error::Error;

/// A table that is printed page by page, so that its length does not matter. Columns grow with
/// later pages and never shrink.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    head: Option<[&'static str; COLUMNS]>,
    widths: [usize; COLUMNS],
    json: bool,
}

/// A row: its cells, and the object that `--json` prints.
pub(crate) type Row<const COLUMNS: usize> = ([String; COLUMNS], Value);

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(head: [&'static str; COLUMNS], json: bool) -> Self {
        Self { head: Some(head), widths: head.map(str::len), json }
    }

    /// Prints a page, and the head before the first.
    pub(crate) fn page(&mut self, rows: &[Row<COLUMNS>]) -> Result<(), Error> {
        if self.json {
            return rows.iter().try_for_each(|(_, object)| line(&object.to_string()));
        }
        for (cells, _) in rows {
            for (width, cell) in self.widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if let Some(head) = self.head.take() {
            line(&self.aligned(&head.map(str::to_owned)))?;
        }
        rows.iter().try_for_each(|(cells, _)| line(&self.aligned(cells)))
    }

    fn aligned(&self, cells: &[String; COLUMNS]) -> String {
        let cells = cells.iter().zip(self.widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// Prints facts as `name  value` lines, those with a value, or the object.
pub(crate) fn facts(
    facts: Vec<(&'static str, Option<String>)>,
    object: &Value,
    json: bool,
) -> Result<(), Error> {
    if json {
        return line(&object.to_string());
    }
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut known = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.try_for_each(|(name, value)| line(&format!("{name:width$}  {value}")))
}

/// Prints a line to stdout.
pub(crate) fn line(text: &str) -> Result<(), Error> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(Error::io("print"))
}

/// Clears the terminal and prints from its top.
pub(crate) fn clear_screen() -> Result<(), Error> {
    write!(std::io::stdout().lock(), "\x1b[2J\x1b[H").map_err(Error::io("print"))
}

/// Returns samples as seconds of 16 kHz audio.
pub(crate) fn seconds(samples: u64) -> String {
    format!("{:.1} s", samples as f64 / 16_000.0)
}

/// Returns a string of an object, or `-`.
pub(crate) fn text(object: &Value, name: &str) -> String {
    object[name].as_str().filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// Returns a time of an object.
pub(crate) fn time(object: &Value, name: &str) -> Option<String> {
    object[name].as_i64().map(crate::times::shown)
}
