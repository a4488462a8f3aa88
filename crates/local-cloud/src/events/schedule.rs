//! Schedules: `rate(5 minutes)` on the cloud's clock, the first time one period after the start.

use std::sync::Arc;
use std::time::Duration;

use super::{Events, RuleState, entry};

/// The period of a `rate(...)`.
pub(super) fn period(expression: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "schedule {expression:?} is not rate(1 minute) or rate(n minutes|hours|days); local-cloud runs no cron(...)"
        )
    };
    let inside = expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
    let (number, unit) = inside.and_then(|inside| inside.split_once(' ')).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match (number, unit) {
        (0, _) => return Err(wrong()),
        (1, "minute") | (2.., "minutes") => 60,
        (1, "hour") | (2.., "hours") => 3600,
        (1, "day") | (2.., "days") => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// Fires a rule once a period until the cloud stops.
pub(super) async fn run(events: Arc<Events>, state: Arc<RuleState>) {
    let Some(Ok(period)) = state.rule.schedule.as_deref().map(period) else { return };
    let period_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX / 2);
    let mut next = events.clock.now_ms() + period_ms;
    loop {
        let left = u64::try_from(next - events.clock.now_ms()).unwrap_or(0);
        tokio::select! {
            () = events.clock.sleep(Duration::from_millis(left)) => {}
            () = events.stop.cancelled() => return,
        }
        if state.is_enabled() && events.has_room() {
            let event = entry::scheduled(&events.account, &state.rule.arn, events.clock.now_ms());
            events.trigger(&state, &event, None);
        }
        // From the last time, not from now: a slow machine must not make the period longer.
        next = (next + period_ms).max(events.clock.now_ms());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_eventbridge_reads_them() {
        assert_eq!(period("rate(5 minutes)"), Ok(Duration::from_secs(300)));
        assert_eq!(period("rate(1 hour)"), Ok(Duration::from_secs(3600)));
        for wrong in [
            "rate(1 minutes)",
            "rate(5 minute)",
            "rate(0 minutes)",
            "rate(5 seconds)",
            "rate(5)",
            "cron(0 12 * * ? *)",
            "",
        ] {
            assert!(period(wrong).is_err(), "{wrong}");
        }
    }
}
