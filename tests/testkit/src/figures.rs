//! `target/bench/summary.json`, the table of the figures of all benches.

use std::path::PathBuf;

use serde_json::{Map, Value};

/// Returns the folder of the table and of files that benches share; creates it if it is missing.
pub fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes the figures of this object; those of other names are kept.
pub fn record(figures: Value) {
    let Value::Object(figures) = figures else { panic!("figures have names") };
    let table = folder().join("summary.json");
    let mut all: Map<String, Value> = match std::fs::read(&table) {
        Ok(text) => serde_json::from_slice(&text).expect("summary.json is not a table: remove it"),
        Err(_) => Map::new(),
    };
    all.extend(figures);
    std::fs::write(table, format!("{:#}\n", Value::Object(all))).unwrap();
}
