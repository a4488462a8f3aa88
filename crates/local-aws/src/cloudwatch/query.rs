//! MetricDataQuery: a statistic of a metric, or an expression over other queries. An alarm and
//! GetMetricData have a list of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::metrics::{Metric, Metrics};
use super::series::Windows;
use super::statistic::Statistic;

/// A query.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Query {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metric_stat: Option<MetricStat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) return_data: Option<bool>,
    /// The period of an expression, which is that of its metrics here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) period: Option<u32>,
}

/// A statistic of a metric.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct MetricStat {
    pub(super) metric: Metric,
    /// Seconds.
    pub(super) period: u32,
    pub(super) stat: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
}

impl Query {
    /// Whether its values are returned, which is the default.
    pub(super) fn returns(&self) -> bool {
        self.return_data.unwrap_or(true)
    }

    /// Returns the name of its values.
    pub(super) fn label(&self) -> &str {
        let name = self.metric_stat.as_ref().map(|it| it.metric.metric_name.as_str());
        self.label.as_deref().or(name).unwrap_or(&self.id)
    }
}

/// Queries that were checked: ids, statistics, periods, and what expressions refer to.
#[derive(Debug, Clone)]
pub(super) struct Queries {
    pub(super) all: Vec<Query>,
    expressions: BTreeMap<String, Expression>,
}

impl Queries {
    /// Checks queries.
    ///
    /// # Errors
    /// The text says which query is wrong, and why.
    pub(super) fn new(all: Vec<Query>) -> Result<Self, String> {
        let mut expressions = BTreeMap::new();
        for (index, query) in all.iter().enumerate() {
            let wrong = |reason: String| format!("query {}: {reason}", query.id);
            if !is_id(&query.id) || all[..index].iter().any(|it| it.id == query.id) {
                let reason = "an id begins with a lower-case letter, has letters, digits and _ \
                              only, and is unique";
                return Err(wrong(reason.to_owned()));
            }
            match (&query.metric_stat, &query.expression) {
                (Some(stat), None) => check(stat).map_err(wrong)?,
                (None, Some(text)) => {
                    let expression = Expression::parse(text).map_err(wrong)?;
                    expressions.insert(query.id.clone(), expression);
                }
                _ => return Err(wrong("needs either MetricStat or Expression".to_owned())),
            }
        }
        let queries = Self { all, expressions };
        for query in &queries.all {
            queries.period(query).map_err(|reason| format!("query {}: {reason}", query.id))?;
        }
        Ok(queries)
    }

    /// Whether a query searches metrics.
    pub(super) fn have_search(&self) -> bool {
        self.expressions.values().any(|it| !it.searches().is_empty())
    }

    /// Returns the period of a query in seconds: that of its metrics, which must be the same.
    pub(super) fn period(&self, query: &Query) -> Result<u32, String> {
        let searches = self.expressions.get(&query.id).map(Expression::searches);
        let searched = searches.into_iter().flatten().map(|(_, it)| it.period);
        let stats = self.stats(query)?;
        let mut periods: Vec<u32> = stats.iter().map(|(_, it)| it.period).chain(searched).collect();
        periods.dedup();
        match periods.as_slice() {
            [period] => Ok(*period),
            [] => Err("refers to no metric".to_owned()),
            _ => Err("local-cloud does not combine metrics of different periods".to_owned()),
        }
    }

    /// Returns the values of a query in each window.
    pub(super) fn values(
        &self,
        query: &Query,
        metrics: &Metrics,
        windows: Windows,
    ) -> Vec<Option<f64>> {
        let of = |stat: &MetricStat| match Statistic::named(&stat.stat) {
            None => vec![None; windows.count],
            Some(statistic) => {
                metrics.statistics(&stat.metric, stat.unit.as_deref(), statistic, windows)
            }
        };
        let Some(expression) = self.expressions.get(&query.id) else {
            return query.metric_stat.as_ref().map(of).unwrap_or_default();
        };
        let stats = self.stats(query).unwrap_or_default();
        let stats = stats.into_iter().map(|(id, stat)| (id.to_owned(), of(stat)));
        let searches = expression.searches().into_iter();
        let sums = searches.map(|(id, search)| (id.to_owned(), search.sum(metrics, windows)));
        let values = stats.chain(sums).collect();
        (0..windows.count).map(|index| expression.value(&values, index)).collect()
    }

    /// Returns the metrics that a query needs, each with its id.
    fn stats(&self, query: &Query) -> Result<Vec<(&str, &MetricStat)>, String> {
        let ids = match self.expressions.get(&query.id) {
            Some(expression) => expression.ids(),
            None => vec![query.id.as_str()],
        };
        let find = |id: &str| {
            let found = self.all.iter().find(|it| it.id == id);
            let found = found.and_then(|it| Some((it.id.as_str(), it.metric_stat.as_ref()?)));
            found.ok_or_else(|| format!("{id} is not the id of a metric"))
        };
        ids.into_iter().map(find).collect()
    }
}

fn check(stat: &MetricStat) -> Result<(), String> {
    if Statistic::named(&stat.stat).is_none() {
        return Err(format!("local-cloud does not support the statistic {:?}", stat.stat));
    }
    match stat.period {
        0 => Err("Period is 0".to_owned()),
        period if period.is_multiple_of(60) => Ok(()),
        period => Err(format!("Period {period} is not a multiple of 60")),
    }
}

fn is_id(id: &str) -> bool {
    id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.len() <= 255
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use serde_json::{Value, json};

    fn queries(json: Value) -> Result<Queries, String> {
        Queries::new(serde_json::from_value(json).map_err(|error| error.to_string())?)
    }

    fn metric(id: &str, period: u32) -> Value {
        let metric = json!({"Namespace": "N", "MetricName": id});
        json!({"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}})
    }

    #[test]
    fn an_expression_is_evaluated_over_its_metrics() {
        let expression = json!({"Id": "e", "Expression": "100 * a / b"});
        let queries = queries(json!([expression, metric("a", 60), metric("b", 60)])).unwrap();
        let metrics = Metrics::new(Clock::new(1.0));
        for (name, value) in [("a", 3.0), ("b", 4.0)] {
            let metric = Metric {
                namespace: "N".to_owned(),
                metric_name: name.to_owned(),
                dimensions: Vec::new(),
            };
            metrics.add(metric, None, 60_000, &[(value, 1.0)]);
        }
        let windows = Windows { start: 0, length: 60_000, count: 2 };
        assert_eq!(queries.values(&queries.all[0], &metrics, windows), [None, Some(75.0)]);
        assert_eq!(queries.period(&queries.all[0]), Ok(60));
    }

    #[test]
    fn wrong_queries_are_refused() {
        for wrong in [
            json!([metric("A", 60)]),
            json!([metric("a", 60), metric("a", 60)]),
            json!([metric("a", 59)]),
            json!([{"Id": "a"}]),
            json!([{"Id": "e", "Expression": "x * 2"}]),
            json!([{"Id": "e", "Expression": "1 + 2"}]),
            json!([metric("a", 60), metric("b", 120), {"Id": "e", "Expression": "a + b"}]),
        ] {
            assert!(queries(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
