//! Output: tables of aligned columns, facts, or one JSON object a line.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

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
        let printed =
            |(cells, _): &Row<COLUMNS>| cells.each_ref().map(|cell| printable(cell).into_owned());
        let rows: Vec<[String; COLUMNS]> = rows.iter().map(printed).collect();
        for cells in &rows {
            for (width, cell) in self.widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if let Some(head) = self.head.take() {
            line(&self.aligned(&head.map(str::to_owned)))?;
        }
        rows.iter().try_for_each(|cells| line(&self.aligned(cells)))
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
    let text = printable(text.trim_end());
    writeln!(std::io::stdout().lock(), "{text}").map_err(Error::io("print"))
}

/// Whether notes are comments of a shell, because the commands between them can be run.
static ARE_COMMENTS: AtomicBool = AtomicBool::new(false);

/// Prints notes as comments of a shell from now on.
pub(crate) fn comment_notes() {
    ARE_COMMENTS.store(true, Ordering::Relaxed);
}

/// Prints a line to stderr: what was done or is wrong.
pub(crate) fn note(text: &str) {
    let begin = if ARE_COMMENTS.load(Ordering::Relaxed) { "# " } else { "" };
    command(&format!("{begin}{text}"));
}

/// Prints a command to stderr. Its reader may have ended, which must not end the work.
pub(crate) fn command(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", printable(text));
}

/// Escapes control characters: logs and letters may contain those that change the terminal.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let escaped = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(escaped).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_control_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}ü"), "a\\u{1b}[31m\\nb\\u{9b}ü");
    }
}
