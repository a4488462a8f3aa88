//! The worker's own configuration; that of the consumer is beside it (`kvs-stream-consumer`).

use std::time::Duration;

use lambda_support::{ConfigError, Env, TimeScale, variables};

use crate::capacity::Bounds;
use crate::load::Size;

variables! {
    /// Sessions beyond which the worker receives no more.
    MAX_SESSIONS: Number(200, 1..=10_000);
    /// CPU in use beyond which the worker receives no more, in percent.
    MAX_CPU_PERCENT: Number(75, 1..=100);
    /// Memory in use beyond which the worker receives no more, in percent.
    MAX_MEMORY_PERCENT: Number(80, 1..=100);
    /// CPU of the worker in ECS's units (1024: one vCPU); 0: the limit of its cgroup, or all CPUs.
    CPU_UNITS: Number(0, 0..=196_608);
    /// Memory of the worker in MB; 0: the limit of its cgroup, or all memory.
    MEMORY_MB: Number(0, 0..=1_048_576);
    /// Port of the container's health checks.
    HEALTH_PORT: Number(8_080, 0..=65_535);
    /// Time that a stopping worker takes to hand over its sessions, in seconds; less than the
    /// container's stop timeout.
    STOP_TIMEOUT_SECONDS: Number(110, 20..=3_600);
}

/// The worker's configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The consumer's configuration.
    pub(crate) consumer: kvs_stream_consumer::Config,
    /// The workers' queue.
    pub(crate) queue_url: String,
    /// When to receive no more.
    pub(crate) bounds: Bounds,
    /// CPU and memory of the worker.
    pub(crate) size: Size,
    /// The port of the container's health checks; 0: a free one.
    pub(crate) health_port: u16,
    /// The time for a stop.
    pub(crate) stop_timeout: Duration,
    /// The factor of all wall-clock durations.
    pub(crate) scale: TimeScale,
}

impl Config {
    /// Reads and checks the environment.
    ///
    /// # Errors
    /// Names the first variable that is missing, malformed or out of range.
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let scale = env.time_scale()?;
        let consumer = kvs_stream_consumer::Config::of_worker(env)?;
        let stop_timeout = Duration::from_secs(env.number(&STOP_TIMEOUT_SECONDS)?);
        let mebibytes = env.number(&MEMORY_MB)?;
        Ok(Self {
            queue_url: consumer.queue_url().unwrap_or_default().to_owned(),
            consumer,
            bounds: Bounds {
                sessions: usize::try_from(env.number(&MAX_SESSIONS)?).unwrap_or(usize::MAX),
                cpu: percent(env.number(&MAX_CPU_PERCENT)?),
                memory: percent(env.number(&MAX_MEMORY_PERCENT)?),
            },
            size: Size {
                cpus: Some(env.number(&CPU_UNITS)?)
                    .filter(|units| *units > 0)
                    .map(|units| units as f64 / 1024.0),
                memory: Some(mebibytes << 20).filter(|bytes| *bytes > 0),
            },
            health_port: health_port(env)?,
            stop_timeout: scale.wall(stop_timeout),
            scale,
        })
    }
}

/// Returns the port of the container's health checks.
///
/// # Errors
/// Names the variable if it is malformed or out of range.
pub(crate) fn health_port(env: &Env) -> Result<u16, ConfigError> {
    Ok(u16::try_from(env.number(&HEALTH_PORT)?).unwrap_or(u16::MAX))
}

fn percent(number: u64) -> f64 {
    number as f64 / 100.0
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
        ("CHUNK_DLQ_URL", "http://127.0.0.1/1/chunk-dlq-test"),
        ("STARTS_QUEUE_URL", "http://127.0.0.1/1/consumer-starts-test"),
    ];

    fn with(more: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Env::from_pairs(REQUIRED.into_iter().chain(more.iter().copied())))
    }

    #[test]
    fn the_documented_defaults_apply() {
        let config = with(&[]).unwrap();
        assert_eq!((config.bounds.sessions, config.bounds.cpu), (200, 0.75));
        assert_eq!((config.size.cpus, config.size.memory), (None, None));
        assert_eq!((config.health_port, config.stop_timeout), (8_080, Duration::from_secs(110)));
    }

    #[test]
    fn sizes_are_those_of_ecs() {
        let config = with(&[("CPU_UNITS", "512"), ("MEMORY_MB", "1024")]).unwrap();
        assert_eq!((config.size.cpus, config.size.memory), (Some(0.5), Some(1 << 30)));
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
    fn docs_list_the_variables() {
        let columns = ["variable", "default", "range", "meaning"];
        let text = generated_docs::table(columns, rows());
        generated_docs::check("configuration.md", "stream-worker", &text);
    }
}
