//! Where a cloud keeps its data: a folder of the user's, or a temporary one that goes with it.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The folders and the file that a cloud keeps its data in.
#[derive(Debug)]
pub(crate) struct DataFolder {
    /// Where the functions leave audio.
    pub(crate) audio: PathBuf,
    /// Where the functions' logs are.
    pub(crate) logs: PathBuf,
    /// The tables; absent: in memory.
    pub(crate) database: Option<PathBuf>,
    /// Last, so that it is removed when nothing else here is used any more.
    _temporary: Option<Temporary>,
}

impl DataFolder {
    /// Opens a folder, or makes a temporary one that is removed when this is dropped.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Error> {
        let temporary = folder.is_none().then(Temporary::new);
        let root = folder.or(temporary.as_ref().map(|it| it.0.as_path())).unwrap_or(Path::new("."));
        // Functions run elsewhere, so what they are told must not depend on the working folder.
        let root = std::path::absolute(root).map_err(Error::io(root.display().to_string()))?;
        let data = Self {
            audio: root.join("audio"),
            logs: root.join("logs"),
            database: folder.map(|_| root.join("dynamodb.sqlite")),
            _temporary: temporary,
        };
        for folder in [&data.audio, &data.logs] {
            std::fs::create_dir_all(folder).map_err(Error::io(folder.display().to_string()))?;
        }
        Ok(data)
    }
}

/// A folder that is removed when this is dropped: after a start that failed as after an end.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let name = format!("local-cloud-{}", uuid::Uuid::new_v4().simple());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("{} is left behind: {error}", self.0.display());
            }
            _ => {}
        }
    }
}
