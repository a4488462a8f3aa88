//! Points in time and durations on the command line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Returns the current time, Unix ms.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Reads a point in time, Unix ms: RFC 3339, or a duration before now.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return i64::try_from(at.unix_timestamp_nanos() / 1_000_000).map_err(|_| text.to_owned());
    }
    let before = parse_duration(text).map_err(|_| {
        format!("`{text}` is neither a time as 2026-01-01T10:00:00Z nor a duration as 90m")
    })?;
    let before = i64::try_from(before.as_millis()).ok();
    let at = before.and_then(|before| now_ms().checked_sub(before)).filter(|at| *at >= 0);
    at.ok_or_else(|| format!("`{text}` ago is before 1970"))
}

/// Reads a duration: a whole number and `s`, `m`, `h` or `d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration as 30s, 90m, 2h or 1d");
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}

/// Reads a duration of a second or more.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    match interval.is_zero() {
        true => Err("the shortest is 1s".to_owned()),
        false => Ok(interval),
    }
}

/// Returns Unix ms as RFC 3339 with milliseconds; the number itself if it is out of range.
pub(crate) fn shown(ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    let Ok(at) = at else { return ms.to_string() };
    let (date, time) = (at.date(), at.time());
    format!(
        "{date}T{:02}:{:02}:{:02}.{:03}Z",
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

/// Returns how long ago a time was, in whole seconds.
pub(crate) fn age(ms: i64) -> String {
    format!("{} s", (now_ms() - ms).max(0) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_before_now() {
        assert_eq!(parse_time("2024-11-25T13:17:00.007Z"), Ok(1_732_540_620_007));
        let before = now_ms() - parse_time("2h").unwrap();
        assert!((7_200_000..7_260_000).contains(&before), "{before}");
        for wrong in ["", "h", "2", "2w", "-1h", "ü", "yesterday", "99999999999999999999s"] {
            assert!(parse_time(wrong).is_err() && parse_duration(wrong).is_err(), "{wrong}");
        }
        assert!(parse_time("999999999999d").is_err_and(|error| error.contains("before 1970")));
        assert!(parse_interval("0s").is_err() && parse_interval("1s").is_ok());
        assert_eq!(parse_duration("1d"), Ok(Duration::from_secs(86_400)));
    }

    #[test]
    fn a_time_is_shown_as_aws_shows_it() {
        assert_eq!(shown(1_732_540_620_007), "2024-11-25T13:17:00.007Z");
        assert_eq!(shown(i64::MAX), i64::MAX.to_string());
    }
}
