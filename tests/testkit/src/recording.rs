//! The bundled recording, and the sample media that may stand beside the repository.

use std::path::{Path, PathBuf};

/// Path of the bundled recording: two voices reading, 20 ms Opus in Matroska, made by
/// `assets/make-recording.sh`.
pub fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/two-voices.mka")
}

/// Bytes of the bundled recording.
pub fn recording_bytes() -> Vec<u8> {
    std::fs::read(recording()).expect("the bundled recording is part of the repository")
}

/// A file of the sample media (`SHARED_MEDIA`, else `../shared/media` beside the repository).
/// Prints a line and returns `None` when it is not there, so that the test can pass over it.
pub fn shared_media(file: &str) -> Option<PathBuf> {
    let root =
        std::env::var_os("SHARED_MEDIA").map(PathBuf::from).unwrap_or_else(beside_repository);
    let path = root.join(file);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: sample media {} is not here (set SHARED_MEDIA)", path.display());
    None
}

/// `../shared/media` of the nearest directory above that has one: a checkout may lie deeper than
/// the repository's usual place.
fn beside_repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().skip(2).map(|above| above.join("../shared/media"));
    let mut found = found.filter(|path| path.exists());
    found.next().unwrap_or_else(|| here.join("../../../shared/media"))
}
