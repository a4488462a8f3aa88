//! The statistics of a period's values (CloudWatch user guide, "CloudWatch statistics
//! definitions"): the five basic ones, and percentiles. Trimmed means and ranks are not supported.

use super::series::Sample;

/// A statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// `p0` to `p100`, with up to ten decimals.
    Percentile(f64),
}

/// The basic statistics by name.
pub(super) const BASIC: [(&str, Statistic); 5] = [
    ("SampleCount", Statistic::SampleCount),
    ("Average", Statistic::Average),
    ("Sum", Statistic::Sum),
    ("Minimum", Statistic::Minimum),
    ("Maximum", Statistic::Maximum),
];

impl Statistic {
    /// Returns a basic statistic, or a percentile such as `p99.9`. `None`: anything else.
    pub(super) fn named(name: &str) -> Option<Self> {
        match BASIC.iter().find(|(basic, _)| *basic == name) {
            Some((_, basic)) => Some(*basic),
            None => Self::percentile(name),
        }
    }

    /// Returns a percentile such as `p99.9`.
    pub(super) fn percentile(name: &str) -> Option<Self> {
        let digits = name.strip_prefix('p').filter(|it| it.len() <= 14)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent = digits.parse().ok().filter(|percent| plain && *percent <= 100.0)?;
        Some(Self::Percentile(percent))
    }

    /// Returns the statistic of these values; `None` if there are none.
    pub(super) fn of<'a>(self, samples: impl Iterator<Item = &'a Sample> + Clone) -> Option<f64> {
        let count: f64 = samples.clone().map(|it| it.count).sum();
        if count <= 0.0 {
            return None;
        }
        let values = samples.clone().map(|it| it.value);
        let sum = || samples.clone().map(|it| it.value * it.count).sum::<f64>();
        Some(match self {
            Self::SampleCount => count,
            Self::Average => sum() / count,
            Self::Sum => sum(),
            Self::Minimum => values.fold(f64::INFINITY, f64::min),
            Self::Maximum => values.fold(f64::NEG_INFINITY, f64::max),
            Self::Percentile(percent) => percentile(samples, count * percent / 100.0),
        })
    }
}

/// Returns the smallest value at or below which `rank` values are.
fn percentile<'a>(samples: impl Iterator<Item = &'a Sample>, rank: f64) -> f64 {
    let mut sorted: Vec<(f64, f64)> = samples.map(|it| (it.value, it.count)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut below = 0.0;
    for (value, count) in &sorted {
        below += count;
        if below >= rank {
            return *value;
        }
    }
    sorted.last().map_or(0.0, |(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<f64> {
        let sample = |value, count| Sample { minute: 0, value, count };
        let samples = [sample(4.0, 1.0), sample(1.0, 2.0), sample(10.0, 1.0)];
        Statistic::named(name)?.of(samples.iter())
    }

    #[test]
    fn statistics_count_each_value_as_often_as_it_occurred() {
        for (name, expected) in [
            ("SampleCount", 4.0),
            ("Average", 4.0),
            ("Sum", 16.0),
            ("Minimum", 1.0),
            ("Maximum", 10.0),
            ("p50", 1.0),
            ("p75", 4.0),
            ("p99.9", 10.0),
            ("p0", 1.0),
        ] {
            assert_eq!(of(name), Some(expected), "{name}");
        }
        for unknown in ["", "p", "p101", "p-1", "pnan", "p1e1", "tm99", "sum", "Median"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
        assert_eq!(Statistic::Sum.of([].iter()), None);
    }
}
