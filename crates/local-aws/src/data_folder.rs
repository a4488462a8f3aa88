//! The data folder: the user's, or a temporary one that is removed at the end.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The file whose lock marks the folder as in use.
const LOCK: &str = "local-cloud.lock";

/// The folders and the file that a cloud keeps its data in.
#[derive(Debug)]
pub(crate) struct DataFolder {
    /// The folder to which functions write audio.
    pub(crate) audio: PathBuf,
    /// The folder of the functions' logs.
    pub(crate) logs: PathBuf,
    /// The tables; absent: in memory.
    pub(crate) database: Option<PathBuf>,
    /// Kept open for its lock, which the operating system releases however the process ends.
    _lock: File,
    /// The last field, so that the folder is removed after everything that uses it is dropped.
    _temporary: Option<Temporary>,
}

impl DataFolder {
    /// Opens a folder, or creates a temporary one that is removed on drop.
    ///
    /// # Errors
    /// The folder cannot be created, or another cloud uses it.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self, Error> {
        let temporary = folder.is_none().then(Temporary::new);
        let root = folder.or(temporary.as_ref().map(|it| it.0.as_path())).unwrap_or(Path::new("."));
        // Functions have another working folder, so their paths must be absolute.
        let root = std::path::absolute(root).map_err(Error::io(root.display().to_string()))?;
        std::fs::create_dir_all(&root).map_err(Error::io(format!(
            "the data folder {} cannot be created, choose another (`--data`)",
            root.display()
        )))?;
        let data = Self {
            _lock: lock(&root)?,
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

/// Locks a folder for this process: two would write to the same database and logs.
///
/// The operating system releases the lock when the process exits; the file stays, with the process
/// id.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let failed = |source| Error::io(path.display().to_string())(source);
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            let written = file.set_len(0).and_then(|()| file.rewind());
            written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The owner may not have written its process id yet.
            let read = file.take(32).read_to_string(&mut holder);
            let holder = read.ok().map(|_| holder.trim()).filter(|pid| !pid.is_empty());
            Err(Error::InUse {
                folder: folder.to_owned(),
                process: holder.unwrap_or("unknown").to_owned(),
            })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A folder that is removed on drop, also after a failed start.
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
                tracing::warn!("cannot remove {}: {error}", self.0.display());
            }
            _ => {}
        }
    }
}
