//! The template's patterns and EventBridge's operators, with the cases of
//! `tests/events/patterns.json`, which `infra/checks/emulator` also runs on a second engine.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use sam_template::{LoadOptions, Template};

fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

fn parsed(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

fn cases(section: &str) -> Vec<Value> {
    parsed("tests/events/patterns.json")[section]["cases"].as_array().unwrap().clone()
}

/// The patterns of the lifecycle rule and of the archive, by what the cases call them.
fn of_the_template() -> [(&'static str, Pattern); 2] {
    let folder = Some(repository().join("infra"));
    let mut options = LoadOptions { folder, ..LoadOptions::default() };
    options.fallbacks.insert("JwtIssuer".to_owned(), "http://127.0.0.1:1/_local".to_owned());
    options.fallbacks.insert("JwtAudience".to_owned(), "local".to_owned());
    let template = Template::load(&read("infra/template.yaml"), &options).unwrap();
    let rule = template.rules.iter().find(|rule| rule.logical_id == "SessionLifecycleRule");
    let rule = rule.unwrap().pattern.as_ref().unwrap();
    assert_eq!(*rule, parsed("events/rule-pattern.json"));
    let archive = template.archives[0].pattern.as_ref().unwrap();
    [("rule", Pattern::new(rule).unwrap()), ("archive", Pattern::new(archive).unwrap())]
}

#[test]
fn the_templates_patterns_match_their_samples_and_no_other() {
    let taken = &parsed("tests/events/patterns.json")["samples"]["taken"];
    let taken: Vec<&str> = taken.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut found = 0;
    for entry in std::fs::read_dir(repository().join("events")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("rule-pattern") {
            continue;
        }
        let is_taken = taken.contains(&name.as_str());
        found += usize::from(is_taken);
        for (what, pattern) in of_the_template() {
            let event = read(&format!("events/{name}"));
            assert_eq!(pattern.matches(event.as_bytes()), is_taken, "{what}: {name}");
        }
    }
    assert_eq!(found, taken.len());
}

#[test]
fn a_changed_sample_matches_as_the_case_says() {
    let first = parsed("events/kvs-stream-consumer.session-active.json");
    for case in cases("changes") {
        let mut event = first.clone();
        let (parent, name) = case["at"].as_str().unwrap().rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = case["to"].clone();
        for (what, pattern) in of_the_template() {
            assert_eq!(pattern.matches(event.to_string().as_bytes()), case[what], "{what}: {case}");
        }
    }
    assert!(of_the_template().iter().all(|(_, pattern)| !pattern.matches(b"not json")));
}

#[test]
fn operators_match_as_documented() {
    for case in cases("operators") {
        let pattern = Pattern::new(&json!({"detail": {"x": [case["match"]]}})).unwrap();
        for (value, matches) in [("yes", true), ("no", false)] {
            let event = json!({"source": "s", "detail": {"x": case[value]}}).to_string();
            assert_eq!(pattern.matches(event.as_bytes()), matches, "{value}: {case}");
        }
    }
}

#[test]
fn what_eventbridge_refuses_is_refused_here() {
    for case in cases("refused") {
        let error = Pattern::new(&case["pattern"]).unwrap_err();
        assert!(error.contains(case["reason"].as_str().unwrap()), "{case}: {error}");
    }
    // EventBridge takes it; here it is an error, not a silent difference.
    let error = Pattern::new(&json!({"$or": [{"source": ["x"]}]})).unwrap_err();
    assert!(error.contains("$or"), "{error}");
}

#[test]
fn a_path_leads_into_the_event() {
    let event = json!({"detail": {"sessionId": "a-b-1"}});
    assert_eq!(at_path(&event, "$.detail.sessionId"), Some(&json!("a-b-1")));
    assert_eq!(at_path(&event, "$"), Some(&event));
    assert_eq!(at_path(&event, "$.nothing"), None);
}
