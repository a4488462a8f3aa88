//! The table of metrics in `docs/metrics.md`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use generated_docs::{check, table};
use serde_yaml_ng::Value;
use session::metrics::{ALL, ENVIRONMENT};

/// Returns the names of each metric's alarms in `infra/observability.yaml`.
fn alarms() -> BTreeMap<String, Vec<String>> {
    let resources = include_str!("../../../infra/observability.yaml");
    let resources: Value = serde_yaml_ng::from_str(resources).unwrap();
    let mut alarms = BTreeMap::<_, Vec<_>>::new();
    for (_, resource) in resources.as_mapping().unwrap() {
        let properties = &resource["Properties"];
        let is_alarm = resource["Type"] == "AWS::CloudWatch::Alarm";
        if let (true, Some(metric)) = (is_alarm, properties["MetricName"].as_str()) {
            let name = properties["AlarmName"]["Fn::Sub"].as_str().unwrap();
            let name = format!("`{}`", name.replace("${Environment}", "{env}"));
            alarms.entry(metric.to_owned()).or_default().push(name);
        }
    }
    alarms
}

#[test]
fn docs_list_every_metric() {
    let alarms = alarms();
    assert!(!alarms.is_empty());
    let rows = ALL.iter().map(|metric| {
        let own = metric.namespace.dimension();
        let own = own.map_or(String::new(), |(name, value)| format!("`{name}={value}`, "));
        [
            format!("`{}`", metric.name),
            format!("`{}`", metric.namespace.as_str()),
            metric.unit.as_str().to_owned(),
            format!("{own}`{ENVIRONMENT}`"),
            alarms.get(metric.name).map_or_else(|| "–".to_owned(), |names| names.join(", ")),
            metric.description.to_owned(),
        ]
    });
    let columns = ["metric", "namespace", "unit", "dimensions", "alarm", "meaning"];
    check("metrics.md", "metrics", &table(columns, rows));
}
