//! The state of a metric alarm for the data points of its evaluation range (CloudWatch user guide,
//! "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data").
//!
//! CloudWatch retrieves more data points than EvaluationPeriods, so that late ones count. As in the
//! tables of the guide, the range is two longer here. If it has as many real data points as
//! EvaluationPeriods, the newest of them are evaluated and missing ones are ignored: an alarm with
//! one period of 15 minutes is raised 45 minutes after the last data point.

use serde::Deserialize;

/// How many data points more than EvaluationPeriods are retrieved.
pub(super) const MORE: usize = 2;

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum State {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

impl State {
    /// Returns the name in the API.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// How data points that are missing count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum TreatMissingData {
    #[default]
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

impl TreatMissingData {
    /// Returns the name in a reason.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Missing => "Missing",
            Self::Ignore => "Ignored",
            Self::Breaching => "Breaching",
            Self::NotBreaching => "NonBreaching",
        }
    }
}

/// The comparison of a data point with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(clippy::enum_variant_names, reason = "the names of the API")]
pub(super) enum Comparison {
    GreaterThanOrEqualToThreshold,
    GreaterThanThreshold,
    LessThanThreshold,
    LessThanOrEqualToThreshold,
}

impl Comparison {
    /// Whether a value breaches the threshold.
    pub(super) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanThreshold => value < threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
        }
    }

    /// Returns the words of a reason.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => "greater than or equal to",
            Self::GreaterThanThreshold => "greater than",
            Self::LessThanThreshold => "less than",
            Self::LessThanOrEqualToThreshold => "less than or equal to",
        }
    }
}

/// How many data points of how many must breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Periods {
    /// EvaluationPeriods.
    pub(super) evaluated: usize,
    /// DatapointsToAlarm.
    pub(super) to_alarm: usize,
}

/// Returns the state for the data points of the range, oldest first: whether each breaches, `None`
/// for a missing one.
pub(super) fn evaluate(
    range: &[Option<bool>],
    periods: Periods,
    missing: TreatMissingData,
    current: State,
) -> State {
    let real: Vec<bool> = range.iter().rev().copied().flatten().take(periods.evaluated).collect();
    let breaching = real.iter().filter(|breaches| **breaches).count();
    let absent = periods.evaluated - real.len();
    let oldest = range.iter().position(Option::is_some).map_or(0, |first| range.len() - first);
    if breaching >= periods.to_alarm {
        return State::Alarm;
    }
    match missing {
        TreatMissingData::Breaching if breaching + absent >= periods.to_alarm => State::Alarm,
        TreatMissingData::Breaching | TreatMissingData::NotBreaching => State::Ok,
        _ if absent == 0 || breaching < real.len() => State::Ok,
        TreatMissingData::Ignore => current,
        TreatMissingData::Missing if real.is_empty() => State::InsufficientData,
        // All real data points breach: not before the oldest is DatapointsToAlarm periods old.
        TreatMissingData::Missing if oldest >= periods.to_alarm => State::Alarm,
        TreatMissingData::Missing => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURRENT: State = State::InsufficientData;

    /// Evaluates a row of the guide's tables (0: not breaching, X: breaching, -: missing) in the
    /// order of its columns: missing, ignore, breaching, notBreaching.
    fn row(points: &str, to_alarm: usize) -> [State; 4] {
        let point = |point: char| (point != '-').then_some(point == 'X');
        let range: Vec<_> = points.chars().filter(|c| *c != ' ').map(point).collect();
        let periods = Periods { evaluated: range.len() - MORE, to_alarm };
        [
            TreatMissingData::Missing,
            TreatMissingData::Ignore,
            TreatMissingData::Breaching,
            TreatMissingData::NotBreaching,
        ]
        .map(|missing| evaluate(&range, periods, missing, CURRENT))
    }

    #[test]
    fn three_of_three_data_points_as_in_the_guide() {
        let (ok, alarm) = (State::Ok, State::Alarm);
        assert_eq!(row("0 - X - X", 3), [ok; 4]);
        assert_eq!(row("- - - - 0", 3), [ok; 4]);
        assert_eq!(row("- - - - -", 3), [State::InsufficientData, CURRENT, alarm, ok]);
        assert_eq!(row("0 X X - X", 3), [alarm; 4]);
        assert_eq!(row("- - X - -", 3), [alarm, CURRENT, alarm, ok]);
    }

    #[test]
    fn two_of_three_data_points_as_in_the_guide() {
        let (ok, alarm) = (State::Ok, State::Alarm);
        assert_eq!(row("0 - X - X", 2), [alarm; 4]);
        assert_eq!(row("0 0 X 0 X", 2), [alarm; 4]);
        assert_eq!(row("0 - X - -", 2), [ok, ok, alarm, ok]);
        assert_eq!(row("- - - - 0", 2), [ok, ok, alarm, ok]);
        assert_eq!(row("- - - X -", 2), [alarm, CURRENT, alarm, ok]);
    }

    #[test]
    fn one_period_keeps_its_state_until_the_data_point_leaves_the_range() {
        let (ok, alarm) = (State::Ok, State::Alarm);
        assert_eq!(row("X - -", 1), [alarm; 4]);
        assert_eq!(row("0 - -", 1), [ok; 4]);
        assert_eq!(row("- - -", 1)[2..], [alarm, ok]);
    }
}
