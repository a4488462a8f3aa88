//! The configuration from environment variables.

use std::path::PathBuf;

use lambda_support::{ConfigError, Env};

/// The function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `ENVIRONMENT`: the deployment, for example `dev`. Required.
    pub environment: String,
    /// `PROCESSED_TABLE`: the table of the watermarks. Required.
    pub processed_table: String,
    /// `AUDIO_OUT_DIR`: the folder for one WAV file per session. If absent, no file is written. For
    /// local use only: on Lambda the folder is lost with the execution environment.
    pub audio_out_dir: Option<PathBuf>,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            environment: env.string("ENVIRONMENT")?,
            processed_table: env.string("PROCESSED_TABLE")?,
            audio_out_dir: env.optional("AUDIO_OUT_DIR").map(PathBuf::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_table_stops_the_start_and_is_named() {
        let error = Config::from_env(&Env::from_pairs([("ENVIRONMENT", "dev")])).unwrap_err();
        assert!(error.to_string().contains("PROCESSED_TABLE"));
    }

    #[test]
    fn the_folder_is_optional() {
        let pairs = [("ENVIRONMENT", "dev"), ("PROCESSED_TABLE", "Processed-dev")];
        let config = Config::from_env(&Env::from_pairs(pairs)).unwrap();
        assert_eq!(config.audio_out_dir, None);
    }
}
