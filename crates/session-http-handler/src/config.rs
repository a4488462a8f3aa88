//! The configuration from environment variables. A missing or invalid value stops the function at
//! init.

use std::time::Duration;

use aws_adapters::listeners::Endpoint;
use lambda_support::{Env, env::ConfigError, variables};
use session::{Limits, PairRules};

variables! {
    /// Environment that owns the created resources: suffix of all names, value of the tag `env`.
    ENVIRONMENT: Required;
    /// Name of the Sessions table.
    SESSIONS_TABLE: Required;
    /// Name of the Streams table, from which a running consumer reads its settings.
    STREAMS_TABLE: Required;
    /// Name of the Connections table, which stores the listeners' connections.
    CONNECTIONS_TABLE: Required;
    /// HTTPS endpoint for notifying listeners of the session's end; without it they are not
    /// notified.
    WEBSOCKET_API_ENDPOINT: Optional;
    /// Name of the event bus that receives status changes.
    EVENT_BUS_NAME: Text("default");
    /// Retention of a stream, in hours. KVS does not map a channel to a stream without retention.
    STREAM_RETENTION_HOURS: Number(24, 1..=87_600);
    /// Id or ARN of the KMS key that encrypts streams; without it the AWS managed key.
    KMS_KEY_ID: Optional;
    /// Maximum number of concurrent sessions of a speaker.
    MAX_ACTIVE_SESSIONS: Number(10, 1..=100);
    /// Maximum length of a session, in hours, as clients see it; the health check enforces it.
    MAX_SESSION_HOURS: Number(24, 1..=168);
    /// Number of channels and streams that are ready before a session needs them.
    WARM_PAIRS: Number(0, 0..=20);
    /// Whether `GET /sessions/{sessionId}` is public, or restricted to the session's speaker.
    PUBLIC_SESSION_VIEW: Flag(true);
}

/// The function's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// The environment that owns the created resources: suffix of all names, value of the `env`
    /// tag.
    pub(crate) environment: String,
    /// Name of the Sessions table.
    pub(crate) sessions_table: String,
    /// Name of the Streams table.
    pub(crate) streams_table: String,
    /// Name of the Connections table, which stores the listeners' connections.
    pub(crate) connections_table: String,
    /// Endpoint for notifying listeners of the session's end; `None`: they are not notified.
    pub(crate) websocket_endpoint: Option<Endpoint>,
    /// Name of the event bus that receives status changes.
    pub(crate) event_bus_name: String,
    /// Retention of a stream. At least 1 h: KVS does not map a channel to a stream without
    /// retention.
    pub(crate) stream_retention_hours: u32,
    /// The KMS key that encrypts streams; `None`: the AWS managed key.
    pub(crate) kms_key_id: Option<String>,
    /// Maximum number of concurrent sessions of a speaker.
    pub(crate) max_sessions: u32,
    /// Maximum length of a session.
    pub(crate) max_session: Duration,
    /// The warm pairs that sessions may take.
    pub(crate) pairs: PairRules,
    /// Whether `GET /sessions/{sessionId}` is public, or restricted to the session's speaker.
    pub(crate) public_session_view: bool,
    /// Time budgets. They are derived from the invocation's deadline, so only the pauses and the
    /// request hold are scaled here.
    pub(crate) limits: Limits,
}

impl Config {
    /// Reads the configuration.
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let scale = env.time_scale()?;
        let limits = Limits::default();
        let max_sessions = env.number(&MAX_ACTIVE_SESSIONS)?;
        let retention = env.number(&STREAM_RETENTION_HOURS)?;
        let stream_retention_hours = u32::try_from(retention).unwrap_or(87_600);
        let kms_key_id = env.optional(&KMS_KEY_ID);
        let pairs = u32::try_from(env.number(&WARM_PAIRS)?).unwrap_or(0);
        Ok(Self {
            environment: env.required(&ENVIRONMENT)?,
            sessions_table: env.required(&SESSIONS_TABLE)?,
            streams_table: env.required(&STREAMS_TABLE)?,
            connections_table: env.required(&CONNECTIONS_TABLE)?,
            websocket_endpoint: Endpoint::from_env(env, &WEBSOCKET_API_ENDPOINT)?,
            event_bus_name: env.text(&EVENT_BUS_NAME),
            pairs: PairRules::scaled(
                pairs,
                stream_retention_hours,
                kms_key_id.clone(),
                scale.factor(),
            ),
            stream_retention_hours,
            kms_key_id,
            max_sessions: u32::try_from(max_sessions).unwrap_or(100),
            max_session: scale.wall(Duration::from_secs(env.number(&MAX_SESSION_HOURS)? * 3_600)),
            public_session_view: env.flag(&PUBLIC_SESSION_VIEW)?,
            limits: Limits {
                request_hold: scale.wall(limits.request_hold),
                first_pause: scale.wall(limits.first_pause),
                longest_pause: scale.wall(limits.longest_pause),
                ..limits
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 4] = [
        ("ENVIRONMENT", "dev"),
        ("SESSIONS_TABLE", "Sessions-dev"),
        ("STREAMS_TABLE", "Streams-dev"),
        ("CONNECTIONS_TABLE", "Connections-dev"),
    ];

    fn config(more: &[(&'static str, &'static str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Env::from_pairs(REQUIRED.iter().chain(more).copied()))
    }

    #[test]
    fn has_the_documented_defaults() {
        let config = config(&[]).unwrap();
        assert_eq!(config.event_bus_name, "default");
        assert_eq!(config.stream_retention_hours, 24);
        assert_eq!(config.kms_key_id, None);
        assert_eq!(config.max_sessions, 10);
        assert_eq!(config.max_session, Duration::from_secs(24 * 3_600));
        assert_eq!(config.pairs.count, 0);
        assert!(config.public_session_view);
        assert_eq!(config.websocket_endpoint, None);
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn the_view_is_private_only_if_the_value_is_false() {
        assert!(!config(&[("PUBLIC_SESSION_VIEW", "false")]).unwrap().public_session_view);
        let error = config(&[("PUBLIC_SESSION_VIEW", "no")]).unwrap_err().to_string();
        assert!(error.contains("PUBLIC_SESSION_VIEW"), "{error}");
    }

    #[test]
    fn an_invalid_variable_is_named() {
        for missing in REQUIRED {
            let rest = REQUIRED.into_iter().filter(|pair| *pair != missing);
            let error = Config::from_env(&Env::from_pairs(rest)).unwrap_err();
            assert!(error.to_string().contains(missing.0), "{error}");
        }
        for value in ["0", "87601", "-1", "many"] {
            let env = [("STREAM_RETENTION_HOURS", value)];
            let env = Env::from_pairs(REQUIRED.into_iter().chain(env));
            let error = Config::from_env(&env).unwrap_err();
            assert!(error.to_string().contains("STREAM_RETENTION_HOURS"), "{error}");
        }
        let error = config(&[("WEBSOCKET_API_ENDPOINT", "wss://ws.example.com")]).unwrap_err();
        assert!(error.to_string().contains("WEBSOCKET_API_ENDPOINT"), "{error}");
    }

    #[test]
    fn pauses_shrink_with_the_time_scale() {
        let config = config(&[("TIME_SCALE", "10")]).unwrap();
        assert_eq!(config.limits.first_pause, Duration::from_millis(25));
        assert_eq!(config.limits.request_hold, Duration::from_millis(3_400));
        assert_eq!(config.limits.creation, Limits::default().creation);
    }

    #[test]
    fn docs_list_the_variables() {
        let columns = ["variable", "default", "range", "meaning"];
        let text = generated_docs::table(columns, rows());
        generated_docs::check("configuration.md", "session-http-handler", &text);
    }
}
