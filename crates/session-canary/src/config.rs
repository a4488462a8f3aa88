//! The configuration from environment variables.

use lambda_support::{ConfigError, Env, TimeScale, variables};

variables! {
    /// Name of the deployment, for example `dev`.
    ENVIRONMENT: Required;
    /// Name of the session handler's function, which is invoked directly.
    SESSION_HANDLER_FUNCTION: Required;
    /// Name of the Streams table, which states when a session is delivered completely.
    STREAMS_TABLE: Required;
    /// Name of the Processed table, which contains the samples that the reference processor
    /// accepted. Without it, the checkpoint in Streams counts them.
    PROCESSED_TABLE: Optional;
}

/// The function's configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Name of the deployment.
    pub(crate) environment: String,
    /// Name of the session handler's function.
    pub(crate) session_handler: String,
    /// Name of the Streams table.
    pub(crate) streams_table: String,
    /// Name of the Processed table, if the processor is the reference.
    pub(crate) processed_table: Option<String>,
    /// How much faster than real time the cloud runs.
    pub(crate) time_scale: TimeScale,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing or malformed.
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            environment: env.required(&ENVIRONMENT)?,
            session_handler: env.required(&SESSION_HANDLER_FUNCTION)?,
            streams_table: env.required(&STREAMS_TABLE)?,
            processed_table: env.optional(&PROCESSED_TABLE),
            time_scale: env.time_scale()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 3] = [
        ("ENVIRONMENT", "dev"),
        ("SESSION_HANDLER_FUNCTION", "session-http-handler-dev"),
        ("STREAMS_TABLE", "Streams-dev"),
    ];

    #[test]
    fn each_required_variable_is_named_when_it_is_missing() {
        assert_eq!(Config::from_env(&Env::from_pairs(REQUIRED)).unwrap().processed_table, None);
        for missing in 0..REQUIRED.len() {
            let mut pairs = REQUIRED.to_vec();
            let (name, _) = pairs.remove(missing);
            let error = Config::from_env(&Env::from_pairs(pairs)).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn docs_list_the_variables() {
        let columns = ["variable", "default", "range", "meaning"];
        let text = generated_docs::table(columns, rows());
        generated_docs::check("configuration.md", "session-canary", &text);
    }
}
