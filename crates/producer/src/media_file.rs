//! Reads a recorded file into memory. The start is checked first, so that an endless source of
//! other bytes is refused at once, and the size is limited whether or not it is known beforehand.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::file_kind::{HEAD, file_kind};
use crate::recording::RecordingError;

/// Maximum size of a file. It is held in memory, and may contain video.
pub(crate) const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// Reads a file, a FIFO or a device to its end.
///
/// # Errors
/// [`RecordingError::Open`], [`RecordingError::NotMatroska`] when it does not begin as Matroska
/// does, and [`RecordingError::Large`] beyond [`MAX_FILE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, RecordingError> {
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    let size = file.metadata().map_err(|source| unreadable(path, source))?.len();
    if size > MAX_FILE_BYTES {
        return Err(RecordingError::Large { path: path.to_owned() });
    }
    read_at_most(file, path, MAX_FILE_BYTES)
}

fn read_at_most(source: impl Read, path: &Path, max: u64) -> Result<Vec<u8>, RecordingError> {
    let mut bytes = Vec::new();
    let mut source = source.take(max + 1);
    let head = source.by_ref().take(HEAD as u64).read_to_end(&mut bytes);
    head.map_err(|source| unreadable(path, source))?;
    if !bytes.starts_with(&crate::file_kind::EBML) {
        return Err(not_matroska(path, file_kind(&bytes)));
    }
    source.read_to_end(&mut bytes).map_err(|source| unreadable(path, source))?;
    if bytes.len() as u64 > max {
        return Err(RecordingError::Large { path: path.to_owned() });
    }
    Ok(bytes)
}

/// Returns the error of a file that is not a Matroska file, but `kind`.
pub(crate) fn not_matroska(path: &Path, kind: &'static str) -> RecordingError {
    RecordingError::NotMatroska { path: path.to_owned(), kind }
}

/// Returns where a relative path was searched, with what to do; nothing for an absolute one.
pub(crate) fn searched(path: &Path) -> String {
    match path.is_absolute() {
        true => String::new(),
        false => {
            let folder = std::env::current_dir().unwrap_or_default();
            format!(" in {} (start at the top of the repository)", folder.display())
        }
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> RecordingError {
    match source.kind() {
        ErrorKind::NotFound => RecordingError::Missing { path: path.to_owned() },
        ErrorKind::IsADirectory => not_matroska(path, "a folder"),
        _ => RecordingError::Open { path: path.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_an_end_is_read_up_to_the_limit() {
        let ebml = [0x1A, 0x45, 0xDF, 0xA3];
        let endless = (&ebml[..]).chain(std::io::repeat(7));
        let path = Path::new("pipe");
        let refusal = read_at_most(endless, path, 4_000).unwrap_err();
        assert!(matches!(refusal, RecordingError::Large { .. }), "{refusal}");
        let fits = (&ebml[..]).chain(std::io::repeat(7).take(3_996));
        assert_eq!(read_at_most(fits, path, 4_000).unwrap().len(), 4_000);
    }

    #[test]
    fn an_endless_device_and_a_folder_are_refused_by_their_kind() {
        for (path, expected) in [
            ("/dev/zero", "only zero bytes: make a Matroska or WebM file of a recording with "),
            ("/dev/null", "an empty file: name an Opus .mkv, .mka or .webm file"),
            ("/", "a folder: name an Opus .mkv, .mka or .webm file"),
        ] {
            let refusal = read(Path::new(path)).unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("{path}: {expected}")), "{refusal}");
        }
    }

    #[test]
    fn a_missing_file_is_named_with_the_folder_that_it_is_missing_from() {
        let refusal = read(Path::new("nowhere/talk.mka")).unwrap_err().to_string();
        let here = std::env::current_dir().unwrap();
        let expected = format!("nowhere/talk.mka: no such file in {} (", here.display());
        assert!(refusal.starts_with(&expected), "{refusal}");
        let refusal = read(Path::new("/nowhere/talk.mka")).unwrap_err().to_string();
        assert!(refusal.starts_with("/nowhere/talk.mka: no such file: name"), "{refusal}");
    }
}
