//! The `local-cloud` command.

fn main() {}
