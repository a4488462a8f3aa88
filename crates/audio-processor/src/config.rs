//! The configuration from environment variables.

use std::path::PathBuf;

use lambda_support::{ConfigError, Env, variables};

variables! {
    /// Name of the deployment, for example `dev`.
    ENVIRONMENT: Required;
    /// Name of the Processed table, which stores the watermarks.
    PROCESSED_TABLE: Required;
    /// Folder for one WAV file per session; without it no file is written. For local use only: on
    /// Lambda the folder is lost with the execution environment.
    AUDIO_OUT_DIR: Optional;
}

/// The function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name of the deployment.
    pub environment: String,
    /// Name of the table of the watermarks.
    pub processed_table: String,
    /// Folder for one WAV file per session, if any.
    pub audio_out_dir: Option<PathBuf>,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            environment: env.required(&ENVIRONMENT)?,
            processed_table: env.required(&PROCESSED_TABLE)?,
            audio_out_dir: env.optional(&AUDIO_OUT_DIR).map(PathBuf::from),
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

    #[test]
    fn docs_list_the_variables() {
        let columns = ["variable", "default", "range", "meaning"];
        let text = generated_docs::table(columns, rows());
        generated_docs::check("configuration.md", "audio-processor", &text);
    }
}
