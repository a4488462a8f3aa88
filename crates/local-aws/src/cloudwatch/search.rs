//! Search expressions (CloudWatch user guide, "CloudWatch search expression syntax"): the metrics
//! of a namespace and its dimensions, selected by `Name=value`, where the name is `MetricName` or a
//! dimension. A value in double quotes is the whole one; without them it is a word of it:
//! `InstanceType=micro` finds `t2.micro`, `InstanceType="micro"` does not. Terms without a name,
//! and AND, OR and NOT, are not supported.

use std::collections::BTreeSet;

use super::metrics::{Metric, Metrics};
use super::series::Windows;
use super::statistic::Statistic;

/// The term that selects a metric's name, and not a dimension.
const METRIC_NAME: &str = "MetricName";
/// Only metrics with values of the past two weeks are found.
const FOUND_MS: i64 = 14 * 86_400_000;

/// A search, and the statistic of what it finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Search {
    namespace: String,
    dimensions: BTreeSet<String>,
    terms: Vec<Term>,
    statistic: Statistic,
    /// Seconds.
    pub(super) period: u32,
}

/// What a metric's name or the value of a dimension has to be.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    name: String,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Whole(String),
    Word(String),
}

impl Search {
    /// Reads the arguments of SEARCH, `statistic` without its quotation marks.
    ///
    /// # Errors
    /// The text is no search, or one that is not supported.
    pub(super) fn new(text: &str, statistic: &str, period: u32) -> Result<Self, String> {
        let parts = text.trim().strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (schema, terms) = parts.ok_or("local-cloud needs a schema, {Namespace,Dimension…}")?;
        let mut names = schema.split(',').map(|name| name.trim().to_owned());
        let namespace = names.next().unwrap_or_default();
        let dimensions: BTreeSet<String> = names.collect();
        let terms: Vec<Term> =
            terms.split_whitespace().map(Term::parse).collect::<Result<_, _>>()?;
        let is_known = |term: &&Term| term.name == METRIC_NAME || dimensions.contains(&term.name);
        if let Some(other) = terms.iter().find(|term| !is_known(term)) {
            return Err(format!("{} is not a dimension of the schema", other.name));
        }
        let statistic = Statistic::named(statistic)
            .ok_or_else(|| format!("local-cloud does not support the statistic {statistic:?}"))?;
        if period == 0 || !period.is_multiple_of(60) {
            return Err(format!("Period {period} is not a multiple of 60"));
        }
        Ok(Self { namespace, dimensions, terms, statistic, period })
    }

    /// Returns the sum of what it finds in each window; `None` for one without values.
    pub(super) fn sum(&self, metrics: &Metrics, windows: Windows) -> Vec<Option<f64>> {
        let mut sums = vec![None; windows.count];
        let oldest = metrics.now_ms() - FOUND_MS;
        for (metric, _) in metrics.list().iter().filter(|(it, at)| *at >= oldest && self.finds(it))
        {
            let values = metrics.statistics(metric, None, self.statistic, windows);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = value.map(|value| value + sum.unwrap_or_default()).or(*sum);
            }
        }
        sums
    }

    fn finds(&self, metric: &Metric) -> bool {
        let dimensions = metric.dimensions.iter().map(|it| it.name.as_str());
        metric.namespace == self.namespace
            && dimensions.eq(self.dimensions.iter().map(String::as_str))
            && self.terms.iter().all(|term| term.is_in(metric))
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self, String> {
        let unsupported = || format!("local-cloud does not support the search term {text:?}");
        let (name, value) = text.split_once('=').ok_or_else(unsupported)?;
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let wanted = match quoted {
            Some(whole) if !whole.contains('"') => Wanted::Whole(whole.to_owned()),
            None if !value.is_empty() && value.bytes().all(|it| it.is_ascii_alphanumeric()) => {
                Wanted::Word(value.to_owned())
            }
            _ => return Err(unsupported()),
        };
        Ok(Self { name: name.to_owned(), wanted })
    }

    fn is_in(&self, metric: &Metric) -> bool {
        let dimension = || metric.dimensions.iter().find(|it| it.name == self.name);
        let value = match self.name.as_str() {
            METRIC_NAME => Some(metric.metric_name.as_str()),
            _ => dimension().map(|it| it.value.as_str()),
        };
        value.is_some_and(|value| match &self.wanted {
            Wanted::Whole(whole) => value == whole,
            Wanted::Word(word) => {
                value.split(|c: char| !c.is_ascii_alphanumeric()).any(|it| it == word)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn sum(text: &str) -> Result<Option<f64>, String> {
        let metrics = Metrics::new(Clock::new(1.0));
        for (stream, value) in [("session-a", 1.0), ("session-b", 2.0), ("sessions", 4.0)] {
            metrics.count("KVS", "In.Bytes", ("Stream", stream), "Bytes", value);
            metrics.count("KVS", "Out.Bytes", ("Stream", stream), "Bytes", 8.0);
            metrics.count("KVS", "In.Bytes", ("Channel", stream), "Bytes", 16.0);
        }
        let start = metrics.now_ms() - metrics.now_ms().rem_euclid(60_000) - 60_000;
        let windows = Windows { start, length: 180_000, count: 1 };
        Ok(Search::new(text, "Sum", 60)?.sum(&metrics, windows)[0])
    }

    #[test]
    fn a_value_in_quotation_marks_is_whole_and_one_without_is_a_word() {
        for (text, expected) in [
            (r#"{KVS,Stream} MetricName="In.Bytes" Stream=session"#, Some(3.0)),
            (r#"{KVS,Stream} MetricName="In.Bytes" Stream="session-a""#, Some(1.0)),
            (r#"{KVS,Stream} MetricName="In.Bytes" Stream="session-""#, None),
            (r#" {KVS, Stream} MetricName=Bytes"#, Some(31.0)),
            (r#"{KVS,Channel} MetricName="In.Bytes""#, Some(48.0)),
            ("{KVS} MetricName=Bytes", None),
            ("{Other,Stream}", None),
        ] {
            assert_eq!(sum(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn windows_without_values_have_no_sum() {
        let metrics = Metrics::new(Clock::new(1.0));
        let search = Search::new("{KVS,Stream}", "Sum", 60).unwrap();
        let windows = Windows { start: 0, length: 60_000, count: 2 };
        assert_eq!(search.sum(&metrics, windows), [None, None]);
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for text in ["", "Bytes", "{KVS} Bytes", "{KVS} Stream=a", "{KVS} MetricName=In.Bytes"] {
            assert!(Search::new(text, "Sum", 60).is_err(), "{text}");
        }
        assert!(Search::new("{KVS}", "Other", 60).is_err());
        assert!(Search::new("{KVS}", "Sum", 59).is_err());
    }
}
