//! Nothing else of the product names an SDK of AWS.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// What may: this crate, and the operator's calls, which no function makes. In this crate their
/// SDKs would be compiled with the functions.
const EDGES: [&str; 3] = ["aws-adapters", "session-ops/src/aws", "session-ops/Cargo.toml"];

/// How the crates of the SDK are called in code and in manifests.
const NAMES: [&str; 4] = ["aws_sdk_", "aws-sdk-", "aws_config::", "aws-config"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs" || end == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn the_sdk_is_named_at_its_edges_only() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut all = Vec::new();
    files(crates, &mut all);
    let is_edge = |path: &&PathBuf| EDGES.iter().any(|edge| path.starts_with(crates.join(edge)));
    let (edge, others): (Vec<_>, Vec<_>) = all.iter().partition(is_edge);
    let names_sdk = |path: &&PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            NAMES.iter().any(|name| code.contains(name))
        })
    };
    assert!(edge.into_iter().any(|path| names_sdk(&path)), "the names above are none of the SDK's");
    let wrong: Vec<_> = others.into_iter().filter(names_sdk).collect();
    assert!(wrong.is_empty(), "put these calls into one of {EDGES:?}: {wrong:?}");
}
