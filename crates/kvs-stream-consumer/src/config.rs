//! Everything the function reads from its environment, checked once at init.

use std::time::Duration;

use aws_adapters::lambda::Invocation;
use aws_adapters::listeners::Endpoint;
use lambda_support::{ConfigError, Env, TimeScale};

/// The function's configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `ENVIRONMENT`: whose resources may be touched; the `env` tag of everything ours. Required.
    pub(crate) environment: String,
    /// `SESSIONS_TABLE`. Required.
    pub(crate) sessions_table: String,
    /// `CONNECTIONS_TABLE`. Required.
    pub(crate) connections_table: String,
    /// `STREAMS_TABLE`. Required.
    pub(crate) streams_table: String,
    /// `WEBSOCKET_API_ENDPOINT`: where listeners are told that their session ends. Default empty:
    /// they are only removed.
    pub(crate) websocket_endpoint: Option<Endpoint>,
    /// `EVENT_BUS_NAME`. Default `default`.
    pub(crate) event_bus: String,
    /// `AUDIO_PROCESSOR_FUNCTION`: name or ARN. Required.
    pub(crate) processor: String,
    /// `AUDIO_PROCESSOR_INVOCATION`: `request-response` (default) or `event`.
    pub(crate) invocation: Invocation,
    /// `AWS_LAMBDA_FUNCTION_NAME`, set by Lambda: the next link is this function itself. Required.
    pub(crate) own_function: String,
    /// `CHUNK_DLQ_URL`: queue of chunks that the processor refuses for good. Required.
    pub(crate) chunk_dlq_url: String,
    /// `EVENTS_DLQ_URL`: queue of events that failed for good; optional, looked at before a stream
    /// is deleted.
    pub(crate) events_dlq_url: Option<String>,
    /// `MAX_RUN_SECONDS`, s, 30..=5400, default 840: a run's length when its deadline is unknown.
    pub(crate) max_run: Duration,
    /// `SESSION_IDLE_MINUTES`, min, 1..=1440, default 60: silence that ends a session.
    pub(crate) session_idle: Duration,
    /// `MAX_SESSION_HOURS`, h, 1..=168, default 24: longest session.
    pub(crate) max_session: Duration,
    /// `STREAM_KEEP_MINUTES`, min, 0..=10080, default 60: how long a drained stream is kept.
    pub(crate) stream_keep: Duration,
    /// `TIME_SCALE` (only local-cloud sets it), `CHUNK_MS` (ms, 100..=4000, default 500),
    /// `LEASE_MS` (ms, 6000..=60000, default 12000), `RENEW_MS` (ms, 200..=3000, default 1000),
    /// `AUDIO_PROCESSOR_TIMEOUT_SECONDS` (s, 1..=900, default 60: the processor's own timeout; an
    /// attempt waits 2 s longer), `MAX_FILL_MS` (ms, 0..=10000, default 2000), `AUDIO_TRACK_NAME`
    /// (default `AUDIO_FROM_CUSTOMER`: of several audio tracks of one codec, the one that is
    /// heard), `STREAM_RETENTION_HOURS` (h, 1..=87600, default 24: what the streams are made
    /// with; that long after its end a session that could not be delivered is given up).
    pub(crate) relay: relay::Config,
}

impl Config {
    /// Reads and checks all of it.
    ///
    /// # Errors
    /// The first variable that is missing, malformed or out of range.
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let scale = env.time_scale()?;
        let wall = |name: &str, default, range, unit_seconds: u64| {
            let value = env.number(name, default, range)?;
            Ok::<_, ConfigError>(scale.wall(Duration::from_secs(value * unit_seconds)))
        };
        Ok(Self {
            environment: env.string("ENVIRONMENT")?,
            sessions_table: env.string("SESSIONS_TABLE")?,
            connections_table: env.string("CONNECTIONS_TABLE")?,
            streams_table: env.string("STREAMS_TABLE")?,
            websocket_endpoint: Endpoint::from_env(env)?,
            event_bus: env.string_or("EVENT_BUS_NAME", "default"),
            processor: env.string("AUDIO_PROCESSOR_FUNCTION")?,
            invocation: invocation(env)?,
            own_function: env.string("AWS_LAMBDA_FUNCTION_NAME")?,
            chunk_dlq_url: env.string("CHUNK_DLQ_URL")?,
            events_dlq_url: env.optional("EVENTS_DLQ_URL"),
            max_run: wall("MAX_RUN_SECONDS", 840, 30..=5_400, 1)?,
            session_idle: wall("SESSION_IDLE_MINUTES", 60, 1..=1_440, 60)?,
            max_session: wall("MAX_SESSION_HOURS", 24, 1..=168, 3_600)?,
            stream_keep: wall("STREAM_KEEP_MINUTES", 60, 0..=10_080, 60)?,
            relay: relay(env, scale)?,
        })
    }
}

fn invocation(env: &Env) -> Result<Invocation, ConfigError> {
    let name = "AUDIO_PROCESSOR_INVOCATION";
    match env.string_or(name, "request-response").as_str() {
        "request-response" => Ok(Invocation::RequestResponse),
        "event" => Ok(Invocation::Event),
        other => Err(ConfigError::Malformed {
            name: name.to_owned(),
            value: other.to_owned(),
            wanted: "`request-response` or `event`".to_owned(),
        }),
    }
}

fn relay(env: &Env, scale: TimeScale) -> Result<relay::Config, ConfigError> {
    let timeout = env.number("AUDIO_PROCESSOR_TIMEOUT_SECONDS", 60, 1..=900)?;
    let mut config = relay::Config::scaled(scale.factor());
    config.chunk_ms = env.number("CHUNK_MS", 500, 100..=4_000)?;
    config.lease = env.wall_millis("LEASE_MS", 12_000, 6_000..=60_000)?;
    config.renew = env.wall_millis("RENEW_MS", 1_000, 200..=3_000)?;
    // 8 s of 12 s: the holder always stops well before its lease ends for others.
    config.lease_guard = config.lease * 2 / 3;
    let retention = env.number("STREAM_RETENTION_HOURS", 24, 1..=87_600)?;
    config.retention = scale.wall(Duration::from_secs(retention * 3600));
    config.attempt_timeout = scale.wall(Duration::from_secs(timeout + 2));
    config.media.max_fill_ms = millis_u32(env, "MAX_FILL_MS", 2_000)?;
    config.media.track_name = env.string_or("AUDIO_TRACK_NAME", &config.media.track_name);
    Ok(config)
}

fn millis_u32(env: &Env, name: &str, default: u64) -> Result<u32, ConfigError> {
    env.number(name, default, 0..=10_000).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 7] = [
        ("ENVIRONMENT", "test"),
        ("SESSIONS_TABLE", "Sessions-test"),
        ("CONNECTIONS_TABLE", "Connections-test"),
        ("STREAMS_TABLE", "Streams-test"),
        ("AUDIO_PROCESSOR_FUNCTION", "audio-processor-test"),
        ("AWS_LAMBDA_FUNCTION_NAME", "kvs-stream-consumer-test"),
        ("CHUNK_DLQ_URL", "http://127.0.0.1/1/chunk-dlq-test"),
    ];

    fn with<'a>(more: &[(&'a str, &'a str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Env::from_pairs(REQUIRED.into_iter().chain(more.iter().copied())))
    }

    #[test]
    fn the_defaults_are_those_of_the_design() {
        let config = with(&[]).unwrap();
        assert_eq!(config.relay.chunk_ms, 500);
        assert_eq!(config.relay.lease, Duration::from_secs(12));
        assert_eq!(config.relay.lease_guard, Duration::from_secs(8));
        assert_eq!(config.max_run, Duration::from_secs(840));
        assert_eq!(config.invocation, Invocation::RequestResponse);
    }

    #[test]
    fn each_required_variable_is_named_when_it_is_missing() {
        for (name, _) in REQUIRED {
            let rest = REQUIRED.into_iter().filter(|(other, _)| *other != name);
            let error = Config::from_env(&Env::from_pairs(rest)).unwrap_err();
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }

    #[test]
    fn an_unknown_invocation_or_endpoint_is_refused() {
        assert!(with(&[("WEBSOCKET_API_ENDPOINT", "wss://ws.example.com")]).is_err());
        assert!(with(&[("AUDIO_PROCESSOR_INVOCATION", "sometimes")]).is_err());
    }

    #[test]
    fn wall_durations_shrink_with_the_time_scale_and_media_durations_do_not() {
        let config = with(&[("TIME_SCALE", "20")]).unwrap();
        assert_eq!(config.relay.lease, Duration::from_millis(600));
        assert_eq!(config.max_run, Duration::from_secs(42));
        assert_eq!(config.relay.chunk_ms, 500);
    }
}
