//! Checks that the files of a run can be written, before its cloud starts.

use std::fs::{File, OpenOptions, remove_file};
use std::io::ErrorKind;
use std::path::Path;

use super::OUTPUT;
use crate::error::Error;

/// Checks that the report and the audio can be written. Leaves nothing behind, and an existing
/// report as it is.
///
/// # Errors
/// A file cannot be written, or a folder cannot be created.
pub(super) fn check(report: Option<&Path>) -> Result<(), Error> {
    report.map_or(Ok(()), file)?;
    folder(Path::new(OUTPUT))
}

/// Checks that a new file can be written in a folder.
fn folder(path: &Path) -> Result<(), Error> {
    probe(&path.join("writable")).map_err(Error::io(format!(
        "{} cannot be written, and a run leaves its audio and logs there",
        path.display()
    )))
}

fn file(path: &Path) -> Result<(), Error> {
    let is_folder = Path::new(OUTPUT).starts_with(path);
    let probed = if is_folder { Err(ErrorKind::IsADirectory.into()) } else { probe(path) };
    probed.map_err(Error::io(format!("{} cannot be written, choose another path", path.display())))
}

/// Opens an existing file for writing. For a new one, creates and removes a file in the folder in
/// which the first missing folder, or the file itself, would be created.
fn probe(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return OpenOptions::new().append(true).open(path).map(drop);
    }
    let folders = path.ancestors().skip(1);
    let existing = folders.map(or_current).find(|folder| folder.exists());
    let file = existing.unwrap_or(Path::new(".")).join(format!("writable-{}", std::process::id()));
    File::create_new(&file)?;
    remove_file(&file)
}

/// Returns the current folder for an empty path.
fn or_current(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_that_can_be_written_is_accepted_and_nothing_is_left_there() {
        let folder = std::env::temp_dir().join(format!("writable-{}", std::process::id()));
        let path = folder.join("new/report.json");
        file(&path).unwrap();
        assert!(!folder.exists());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        file(&path).unwrap();
        assert!(!path.exists());
        std::fs::write(&path, "kept").unwrap();
        file(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
        for wrong in [folder.as_path(), &path.join("report.json")] {
            let refusal = file(wrong).unwrap_err().to_string();
            assert!(refusal.starts_with(&wrong.display().to_string()), "{refusal}");
            assert!(refusal.contains("cannot be written"), "{refusal}");
        }
        let refusal = super::folder(&path).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("{} cannot be written", path.display())), "{refusal}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
