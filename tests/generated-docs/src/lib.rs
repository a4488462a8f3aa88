//! Compares generated sections of documents under `docs/` with the code that they describe.
//!
//! A section is delimited by `<!-- begin NAME -->` and `<!-- end NAME -->`. A test generates its
//! text and calls [`check`], which fails if the document differs. With `UPDATE_DOCS=1` it updates
//! the document instead.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{env, fs, path::Path};

/// Compares a section of `docs/{document}` with `text`.
///
/// # Panics
/// Panics with the first line that differs, or if the document has no such section.
pub fn check(document: &str, section: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(document);
    let old = fs::read_to_string(&path).unwrap();
    let new = with_section(&old, section, text)
        .unwrap_or_else(|| panic!("docs/{document} has no section {section}"));
    if old == new {
        return;
    }
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, new).unwrap();
        return;
    }
    let differs = new.lines().find(|line| !old.lines().any(|other| other == *line));
    panic!(
        "docs/{document} is stale; update it with `UPDATE_DOCS=1 cargo test --workspace docs_`\n\
         first new line: {}",
        differs.unwrap_or("none, a line was removed")
    );
}

/// Returns a Markdown table. `|` in a cell is escaped.
#[must_use]
pub fn table<const N: usize>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&columns.map(str::to_owned)) + &"|---".repeat(N) + "|\n";
    for row in rows {
        text += &line(&row.map(|cell| cell.replace('|', "\\|")));
    }
    text
}

/// Returns the document with the section's text replaced.
fn with_section(document: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin {section} -->\n"), format!("<!-- end {section} -->"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_section_is_replaced() {
        let old = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let new = "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n";
        assert_eq!(with_section(old, "x", "new\n").as_deref(), Some(new));
        assert_eq!(with_section(new, "x", "new").as_deref(), Some(new));
        assert_eq!(with_section(old, "y", "new"), None);
    }

    #[test]
    fn a_table_escapes_its_cells() {
        let text = table(["a", "b"], [["1".to_owned(), "x|y".to_owned()]]);
        assert_eq!(text, "| a | b |\n|---|---|\n| 1 | x\\|y |\n");
    }
}
