//! Checks that the files of a run can be written, before its session starts.

use std::fs::{File, OpenOptions, create_dir_all, remove_file};
use std::path::Path;

use super::OUTPUT;
use crate::error::Error;

/// Creates the folder of the report and the folder of the audio, and checks that files can be
/// written there. Leaves an existing report as it is.
///
/// # Errors
/// A folder cannot be created, or a file cannot be written.
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
    probe(path)
        .map_err(Error::io(format!("{} cannot be written, choose another path", path.display())))
}

/// Opens a file for writing and removes it if it did not exist.
fn probe(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_dir_all(folder)?;
    }
    match File::create_new(path) {
        Ok(_) => remove_file(path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_that_can_be_written_is_accepted_and_nothing_is_left_there() {
        let folder = std::env::temp_dir().join(format!("writable-{}", std::process::id()));
        let path = folder.join("new/report.json");
        file(&path).unwrap();
        assert!(path.parent().unwrap().is_dir() && !path.exists());
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
