//! The consumer's configuration, read from the environment and checked once at init.

use std::time::Duration;

use aws_adapters::listeners::Endpoint;
use lambda_support::env::{Number, Optional, Variable};
use lambda_support::{ConfigError, Env, TimeScale, variables};
use session::PairRules;

variables! {
    /// Value of the tag `env` of every resource that this function may change.
    ENVIRONMENT: Required;
    /// Name of the Sessions table.
    SESSIONS_TABLE: Required;
    /// Name of the Connections table.
    CONNECTIONS_TABLE: Required;
    /// Name of the Streams table.
    STREAMS_TABLE: Required;
    /// HTTPS endpoint for notifying listeners; without it they are removed without a message.
    WEBSOCKET_API_ENDPOINT: Optional;
    /// Name of the event bus that receives status changes.
    EVENT_BUS_NAME: Text("default");
    /// Name or ARN of the audio processor.
    AUDIO_PROCESSOR_FUNCTION: Required;
    /// Timeout of the processor, in seconds; an attempt waits 2 s longer.
    AUDIO_PROCESSOR_TIMEOUT_SECONDS: Number(60, 1..=900);
    /// Function that a hand-off invokes; set by Lambda.
    AWS_LAMBDA_FUNCTION_NAME: Optional;
    /// Whether a hand-off publishes an event, whose rule targets what runs the sessions then, in
    /// place of invoking this function; such a function does no health check.
    HAND_OFF_BY_EVENT: Flag(false);
    /// Alias of the function on managed instances; a function that has it forwards its events
    /// there.
    INSTANCES_FUNCTION_ARN: Optional;
    /// Queue of the workers; a function that has it forwards its events there, and a worker needs
    /// it.
    STARTS_QUEUE_URL: Optional;
    /// Queue of chunks that the processor rejects permanently.
    CHUNK_DLQ_URL: Required;
    /// Queue of events that failed permanently, scanned before a stream is deleted.
    EVENTS_DLQ_URL: Optional;
    /// Length of a run whose deadline is unknown, in seconds.
    MAX_RUN_SECONDS: Number(840, 30..=39_600);
    /// Time without a fragment after which a session is ended, in minutes.
    SESSION_IDLE_MINUTES: Number(60, 1..=1_440);
    /// Maximum length of a session, in hours.
    MAX_SESSION_HOURS: Number(24, 1..=168);
    /// Time for which a drained stream is kept, in minutes.
    STREAM_KEEP_MINUTES: Number(60, 0..=10_080);
    /// Retention of the streams, in hours; a session that was not delivered by then is given up.
    STREAM_RETENTION_HOURS: Number(24, 1..=87_600);
    /// Number of channels and streams that are kept ready before a session needs them.
    WARM_PAIRS: Number(0, 0..=20);
    /// Id or ARN of the KMS key that encrypts streams of warm pairs; without it the AWS managed
    /// key.
    KMS_KEY_ID: Optional;
    /// Length of a chunk of audio, in ms.
    CHUNK_MS: Number(500, 100..=4_000);
    /// Length of a lease, in ms; it is renewed three times within its length.
    LEASE_MS: Number(36_000, 6_000..=60_000);
    /// Longest gap that is filled, in ms.
    MAX_FILL_MS: Number(2_000, 0..=10_000);
    /// Track that is decoded if several have the same codec.
    AUDIO_TRACK_NAME: Text("AUDIO_FROM_CUSTOMER");
}

/// What runs the sessions, and what this process does for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// This function: each run is an invocation, and invokes the next one.
    Function {
        /// Its name.
        name: String,
    },
    /// Another host: this function forwards its events, and does the health check.
    Forwarder {
        /// Where it forwards them to.
        to: Destination,
    },
    /// This function on managed instances: each run is an invocation, and publishes the next one.
    Instances,
    /// This worker: each run is a message, and publishes the next one.
    Worker {
        /// The workers' queue.
        queue_url: String,
    },
}

/// Where a function forwards its events to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The workers' queue, by its URL.
    Queue(String),
    /// The function on managed instances, by the ARN of its alias.
    Function(String),
}

/// The consumer's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// What runs the sessions.
    pub(crate) host: Host,
    /// Value of the tag `env` of every resource that this function may change.
    pub(crate) environment: String,
    /// Name of the Sessions table.
    pub(crate) sessions_table: String,
    /// Name of the Connections table.
    pub(crate) connections_table: String,
    /// Name of the Streams table.
    pub(crate) streams_table: String,
    /// Endpoint for notifying listeners; `None`: they are not notified.
    pub(crate) websocket_endpoint: Option<Endpoint>,
    /// Name of the event bus.
    pub(crate) event_bus: String,
    /// Name or ARN of the audio processor.
    pub(crate) processor: String,
    /// Queue of chunks that the processor rejects permanently.
    pub(crate) chunk_dlq_url: String,
    /// Queue of events that failed permanently.
    pub(crate) events_dlq_url: Option<String>,
    /// Length of a run whose deadline is unknown.
    pub(crate) max_run: Duration,
    /// Time without a fragment after which a session is ended.
    pub(crate) session_idle: Duration,
    /// Maximum length of a session.
    pub(crate) max_session: Duration,
    /// Time for which a drained stream is kept.
    pub(crate) stream_keep: Duration,
    /// The warm pairs that the health check keeps.
    pub(crate) pairs: PairRules,
    /// Settings of the delivery of a stream.
    pub(crate) relay: relay::Config,
}

impl Config {
    /// Reads and checks the environment of the function.
    ///
    /// # Errors
    /// Names the first variable that is missing, malformed or out of range.
    pub fn of_function(env: &Env) -> Result<Self, ConfigError> {
        let name = needed(env, &AWS_LAMBDA_FUNCTION_NAME)?;
        let queue = env.optional(&STARTS_QUEUE_URL).map(Destination::Queue);
        let function = env.optional(&INSTANCES_FUNCTION_ARN).map(Destination::Function);
        let host = match queue.or(function) {
            Some(to) => Host::Forwarder { to },
            None if env.flag(&HAND_OFF_BY_EVENT)? => Host::Instances,
            None => Host::Function { name },
        };
        Self::from_env(env, host)
    }

    /// Reads and checks the environment of a worker.
    ///
    /// # Errors
    /// Names the first variable that is missing, malformed or out of range.
    pub fn of_worker(env: &Env) -> Result<Self, ConfigError> {
        Self::from_env(env, Host::Worker { queue_url: needed(env, &STARTS_QUEUE_URL)? })
    }

    /// Returns the URL of a worker's queue.
    pub fn queue_url(&self) -> Option<&str> {
        match &self.host {
            Host::Worker { queue_url } => Some(queue_url),
            _ => None,
        }
    }

    fn from_env(env: &Env, host: Host) -> Result<Self, ConfigError> {
        let scale = env.time_scale()?;
        let wall = |variable: &Variable<Number>, unit_seconds: u64| {
            let value = env.number(variable)?;
            Ok::<_, ConfigError>(scale.wall(Duration::from_secs(value * unit_seconds)))
        };
        Ok(Self {
            host,
            environment: env.required(&ENVIRONMENT)?,
            sessions_table: env.required(&SESSIONS_TABLE)?,
            connections_table: env.required(&CONNECTIONS_TABLE)?,
            streams_table: env.required(&STREAMS_TABLE)?,
            websocket_endpoint: Endpoint::from_env(env, &WEBSOCKET_API_ENDPOINT)?,
            event_bus: env.text(&EVENT_BUS_NAME),
            processor: env.required(&AUDIO_PROCESSOR_FUNCTION)?,
            chunk_dlq_url: env.required(&CHUNK_DLQ_URL)?,
            events_dlq_url: env.optional(&EVENTS_DLQ_URL),
            max_run: wall(&MAX_RUN_SECONDS, 1)?,
            session_idle: wall(&SESSION_IDLE_MINUTES, 60)?,
            max_session: wall(&MAX_SESSION_HOURS, 3_600)?,
            stream_keep: wall(&STREAM_KEEP_MINUTES, 60)?,
            pairs: pairs(env, scale)?,
            relay: relay(env, scale)?,
        })
    }
}

/// Returns the value of a variable that this host requires.
fn needed(env: &Env, variable: &Variable<Optional>) -> Result<String, ConfigError> {
    let missing = || ConfigError::Missing { name: variable.name.to_owned() };
    env.optional(variable).ok_or_else(missing)
}

fn pairs(env: &Env, scale: TimeScale) -> Result<PairRules, ConfigError> {
    let count = u32::try_from(env.number(&WARM_PAIRS)?).unwrap_or(0);
    let hours = u32::try_from(env.number(&STREAM_RETENTION_HOURS)?).unwrap_or(87_600);
    Ok(PairRules::scaled(count, hours, env.optional(&KMS_KEY_ID), scale.factor()))
}

fn relay(env: &Env, scale: TimeScale) -> Result<relay::Config, ConfigError> {
    let timeout = env.number(&AUDIO_PROCESSOR_TIMEOUT_SECONDS)?;
    let mut config = relay::Config::scaled(scale.factor());
    config.chunk_ms = env.number(&CHUNK_MS)?;
    config.lease = env.wall_millis(&LEASE_MS)?;
    let retention = env.number(&STREAM_RETENTION_HOURS)?;
    config.retention = scale.wall(Duration::from_secs(retention * 3600));
    config.attempt_timeout = scale.wall(Duration::from_secs(timeout + 2));
    config.media.max_fill_ms = millis_u32(env, &MAX_FILL_MS)?;
    config.media.track_name = env.text(&AUDIO_TRACK_NAME);
    Ok(config)
}

fn millis_u32(env: &Env, variable: &Variable<Number>) -> Result<u32, ConfigError> {
    env.number(variable).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
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
        Config::of_function(&Env::from_pairs(REQUIRED.into_iter().chain(more.iter().copied())))
    }

    #[test]
    fn the_documented_defaults_apply() {
        let config = with(&[]).unwrap();
        assert_eq!(config.relay.chunk_ms, 500);
        assert_eq!(config.relay.lease, Duration::from_secs(36));
        assert_eq!(config.relay.lease_guard(), Duration::from_secs(24));
        assert_eq!(config.max_run, Duration::from_secs(840));
    }

    #[test]
    fn each_required_variable_is_named_when_it_is_missing() {
        for (name, _) in REQUIRED {
            let rest = REQUIRED.into_iter().filter(|(other, _)| *other != name);
            let error = Config::of_function(&Env::from_pairs(rest)).unwrap_err();
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
    }

    #[test]
    fn a_function_forwards_to_the_host_that_it_has_and_a_worker_needs_a_queue() {
        let name = "kvs-stream-consumer-test".to_owned();
        let none = [("STARTS_QUEUE_URL", ""), ("INSTANCES_FUNCTION_ARN", "")];
        assert_eq!(with(&none).unwrap().host, Host::Function { name });
        let queue = ("STARTS_QUEUE_URL", "http://127.0.0.1/1/consumer-starts-test");
        let queue_url = queue.1.to_owned();
        let to = Destination::Queue(queue_url.clone());
        assert_eq!(with(&[queue]).unwrap().host, Host::Forwarder { to });
        let alias = ("INSTANCES_FUNCTION_ARN", "arn:aws:lambda:r:1:function:f:live");
        let to = Destination::Function(alias.1.to_owned());
        assert_eq!(with(&[alias]).unwrap().host, Host::Forwarder { to });
        assert_eq!(with(&[("HAND_OFF_BY_EVENT", "true")]).unwrap().host, Host::Instances);
        assert!(with(&[("HAND_OFF_BY_EVENT", "yes")]).is_err());
        let worker = |more: Option<(&'static str, &'static str)>| {
            Config::of_worker(&Env::from_pairs(REQUIRED.into_iter().chain(more)))
        };
        assert_eq!(worker(Some(queue)).unwrap().host, Host::Worker { queue_url });
        assert!(worker(None).unwrap_err().to_string().contains("STARTS_QUEUE_URL"));
    }

    #[test]
    fn an_invalid_endpoint_is_rejected() {
        assert!(with(&[("WEBSOCKET_API_ENDPOINT", "wss://ws.example.com")]).is_err());
    }

    #[test]
    fn wall_durations_shrink_with_the_time_scale_and_media_durations_do_not() {
        let config = with(&[("TIME_SCALE", "20")]).unwrap();
        assert_eq!(config.relay.lease, Duration::from_millis(1_800));
        assert_eq!(config.max_run, Duration::from_secs(42));
        assert_eq!(config.relay.chunk_ms, 500);
    }

    #[test]
    fn docs_list_the_variables() {
        let columns = ["variable", "default", "range", "meaning"];
        let text = generated_docs::table(columns, rows());
        generated_docs::check("configuration.md", "kvs-stream-consumer", &text);
    }
}
