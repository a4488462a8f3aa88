//! Checks that the files of a run can be written, before its session starts.

use std::fs::{File, OpenOptions, create_dir_all, remove_file};
use std::path::Path;

use super::OUTPUT;
use crate::error::Error;

/// Creates the folder of the audio and the folder of the report, and checks that files can be
/// written there. Leaves an existing report as it is.
///
/// # Errors
/// A folder cannot be created, or a file cannot be written.
pub(super) fn check(report: Option<&Path>) -> Result<(), Error> {
    file(&Path::new(OUTPUT).join("writable"))?;
    report.map_or(Ok(()), file)
}

/// Opens a file for writing and removes it if it did not exist.
fn file(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Io {
        what: format!("{} cannot be written, choose another path", path.display()),
        source,
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_dir_all(folder).map_err(failed)?;
    }
    match File::create_new(path) {
        Ok(_) => remove_file(path).map_err(failed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop).map_err(failed)
        }
        Err(error) => Err(failed(error)),
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
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
