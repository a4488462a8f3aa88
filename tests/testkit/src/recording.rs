//! The bundled recording, and optional sample media outside of the repository.

use std::path::{Path, PathBuf};

/// Path of the bundled recording: two voices, 20 ms Opus in Matroska, created by
/// `assets/make-recording.sh`.
pub fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/two-voices.mka")
}

/// Returns the bytes of the bundled recording.
pub fn recording_bytes() -> Vec<u8> {
    std::fs::read(recording()).expect("the bundled recording is part of the repository")
}

/// Reads a file of the sample media (`SHARED_MEDIA`, else `../shared/media` beside the repository).
/// Prints a line and returns `None` if it is missing, so that the test can skip it.
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

/// Returns `../shared/media` of the nearest parent directory that has one: the checkout may be in a
/// subdirectory.
fn beside_repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().skip(2).map(|above| above.join("../shared/media"));
    let mut found = found.filter(|path| path.exists());
    found.next().unwrap_or_else(|| here.join("../../../shared/media"))
}
