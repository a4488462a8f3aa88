//! Linux's pressure stall information of the processors.

use std::time::Duration;

/// Returns the time since the start of the machine in which at least one program waited for a
/// processor; zero where that is unknown.
pub(super) fn stalled() -> Duration {
    let text = std::fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    Duration::from_micros(total_us(&text).unwrap_or_default())
}

/// Returns `total` of the line `some`.
fn total_us(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split(' ').find_map(|field| field.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_that_of_some_programs() {
        let text = "some avg10=0.00 avg60=0.63 total=845099225\nfull avg10=0.00 total=7\n";
        assert_eq!(total_us(text), Some(845_099_225));
        assert_eq!(total_us(""), None);
    }
}
