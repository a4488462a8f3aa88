//! What the processes of functions and workers share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sam_template::Account;

use crate::data_folder::DataFolder;
use crate::iam::FUNCTION_SECRET;
use crate::options::Options;

/// Returns the environment variables that Lambda and this crate set for every function.
pub(super) fn environment(
    options: &Options,
    data: &DataFolder,
    account: &Account,
    base_url: &str,
) -> BTreeMap<String, String> {
    let audio = data.audio.display().to_string();
    [
        ("AWS_REGION", account.region.clone()),
        ("AWS_DEFAULT_REGION", account.region.clone()),
        ("AWS_SECRET_ACCESS_KEY", FUNCTION_SECRET.to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("AWS_ENDPOINT_URL", base_url.to_owned()),
        ("TIME_SCALE", options.time_scale.to_string()),
        ("AUDIO_OUT_DIR", audio),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Returns the folder of this program. Tests run one folder below the binaries.
pub(super) fn own_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().map(Path::to_path_buf).unwrap_or_default();
    match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().map(Path::to_path_buf).unwrap_or(folder),
        _ => folder,
    }
}
