//! The table of metrics in `docs/metrics.md`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use generated_docs::{check, table};
use serde_yaml_ng::Value;
use session::metrics::{ALL, ENVIRONMENT};

/// Returns the name of each metric's alarms in the templates under `infra/`.
fn alarms() -> BTreeMap<String, Vec<String>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut alarms = BTreeMap::<_, Vec<_>>::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|it| it == "yaml")) {
        let text = std::fs::read_to_string(path).unwrap();
        let template: Value = serde_yaml_ng::from_str(&text).unwrap();
        for (_, resource) in template["Resources"].as_mapping().into_iter().flatten() {
            let properties = &resource["Properties"];
            let is_alarm = resource["Type"] == "AWS::CloudWatch::Alarm";
            if let (true, Some(metric)) = (is_alarm, properties["MetricName"].as_str()) {
                let name = properties["AlarmName"].as_str().unwrap();
                let name = format!("`{}`", name.replace("${Environment}", "{env}"));
                alarms.entry(metric.to_owned()).or_default().push(name);
            }
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
