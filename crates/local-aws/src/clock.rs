//! The scaled clock: it starts at the real time and runs `scale` times as fast.
//!
//! Every time that AWS would measure (timeouts, schedules, retries, retention, stream states) is
//! read from it, so that a long session fits into a test. What the functions compare with their own
//! clock is read from the real one: the deadline of an invocation, the expiry of tokens, the
//! creation times of channels and streams, and the server timestamps of fragments. An HTTP request
//! has a minimum of real time ([`Clock::request_timeout`]).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The smallest and the largest scale.
pub const SCALE_RANGE: std::ops::RangeInclusive<f64> = 1.0..=1000.0;

/// Minimum timeout of an HTTP request, in real time: code and network are not faster at a higher
/// scale.
const MIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A clock that runs `scale` times as fast as the real one. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    started: Instant,
    started_ms: f64,
    scale: f64,
}

impl Clock {
    /// Starts a clock now. A scale outside [`SCALE_RANGE`] is clamped.
    pub fn new(scale: f64) -> Self {
        let scale = scale.clamp(*SCALE_RANGE.start(), *SCALE_RANGE.end());
        Self { started: Instant::now(), started_ms: real_now_ms() as f64, scale }
    }

    /// Returns the scaled time in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        (self.started_ms + self.started.elapsed().as_secs_f64() * 1000.0 * self.scale) as i64
    }

    /// Returns the scale: scaled seconds in one real second.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Returns the real duration of a scaled one.
    pub fn real(&self, cloud: Duration) -> Duration {
        cloud.div_f64(self.scale)
    }

    /// Returns the real duration of a timeout of an HTTP request: as [`Clock::real`], but at least
    /// 10 s, or the timeout itself if it is shorter.
    pub fn request_timeout(&self, timeout: Duration) -> Duration {
        self.real(timeout).max(timeout.min(MIN_REQUEST_TIMEOUT))
    }

    /// Waits for a scaled duration.
    pub async fn sleep(&self, cloud: Duration) {
        tokio::time::sleep(self.real(cloud)).await;
    }
}

/// Returns the real time in milliseconds since the Unix epoch; 0 when the system's clock is before
/// it.
pub fn real_now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Returns the real time in microseconds since the Unix epoch; 0 when the system's clock is before
/// it.
pub fn real_now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// `ms` since the epoch as RFC 3339 in UTC with milliseconds, as AWS prints it.
pub fn rfc3339(ms: i64) -> String {
    let nanos = i128::from(ms) * 1_000_000;
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
        return String::from("1970-01-01T00:00:00.000Z");
    };
    let (date, clock) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        clock.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_clock_shortens_what_it_waits_for() {
        let clock = Clock::new(60.0);
        assert_eq!(clock.real(Duration::from_secs(60)), Duration::from_secs(1));
        assert_eq!(Clock::new(0.0).scale(), 1.0);
    }

    #[test]
    fn a_request_has_ten_seconds_at_any_scale() {
        let seconds = Duration::from_secs;
        assert_eq!(Clock::new(2.0).request_timeout(seconds(30)), seconds(15));
        assert_eq!(Clock::new(60.0).request_timeout(seconds(30)), seconds(10));
        assert_eq!(Clock::new(60.0).request_timeout(seconds(3)), seconds(3));
    }

    #[test]
    fn times_are_printed_as_aws_prints_them() {
        assert_eq!(rfc3339(1_732_540_620_007), "2024-11-25T13:17:00.007Z");
    }
}
