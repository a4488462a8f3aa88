//! `rate(...)` expressions of schedules.

use std::time::Duration;

/// Returns the period of a `rate(...)` expression.
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
