//! How the memory of a process changed over the run.

use serde::Serialize;

use crate::processes::Process;

/// The memory of a process that was observed for at least half of the run, after its first tenth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trend {
    program: String,
    minutes: f64,
    /// The slope of the least-squares line.
    mb_per_hour: f64,
    /// The means of the first and of the last quarter of the time, in MB.
    first_quarter_mb: f64,
    last_quarter_mb: f64,
}

impl Trend {
    /// Returns the trend of a process in a run of `seconds`.
    pub(crate) fn of(process: &Process, seconds: f64) -> Option<Self> {
        let (first_reading, last) = (process.memory.first()?.0, process.memory.last()?.0);
        let observed = last - first_reading;
        let first = first_reading + observed / 10.0;
        let begin = process.memory.partition_point(|(at, _)| *at < first);
        let (memory, measured) = (&process.memory[begin..], last - first);
        let mean = |from: f64, to: f64| {
            let within = memory.iter().filter(|(at, _)| (from..=to).contains(at));
            mean(within.map(|(_, mb)| *mb))
        };
        (observed > 0.0 && observed >= seconds / 2.0).then(|| Self {
            program: process.program.clone(),
            minutes: measured / 60.0,
            mb_per_hour: slope(memory) * 3600.0,
            first_quarter_mb: mean(first, first + measured / 4.0),
            last_quarter_mb: mean(last - measured / 4.0, last),
        })
    }

    pub(crate) fn show(&self) -> String {
        format!(
            "{}: {:.1} MB, then {:.1} MB (means of the first and last quarter of {:.0} min), {:+.2} MB an hour",
            self.program,
            self.first_quarter_mb,
            self.last_quarter_mb,
            self.minutes,
            self.mb_per_hour
        )
    }
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count().max(1) as f64
}

/// Returns the slope of the least-squares line through the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let x = mean(points.iter().map(|point| point.0));
    let y = mean(points.iter().map(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    above / below.max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_the_means_of_its_quarters() {
        let memory = (0..=400).map(|at| (f64::from(at), 10.0 + f64::from(at) / 100.0)).collect();
        let process = Process { program: "worker".to_owned(), memory, ..Process::default() };
        let trend = Trend::of(&process, 800.0).unwrap();
        assert!((trend.mb_per_hour - 36.0).abs() < 1e-6, "{trend:?}");
        assert!((trend.first_quarter_mb - 10.85).abs() < 1e-6, "{trend:?}");
        assert!((trend.last_quarter_mb - 13.55).abs() < 1e-6, "{trend:?}");
        assert!(
            Trend::of(&process, 801.0).is_none(),
            "it was observed for less than half of the run"
        );
    }
}
