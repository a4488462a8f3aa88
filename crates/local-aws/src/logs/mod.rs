//! CloudWatch Logs, as far as reading needs it: one log group for each function, with the lines
//! that its processes have written.
//!
//! - `group`: the groups and their streams.
//! - `reader`: the events of a log file, by byte position.
//! - `filter`: filter patterns of plain text, `json_filter` those in braces.
//! - `api`: the operations.
//! - `page`: pages of events, and their tokens.
//! - `parameters`: members of requests.

use std::path::Path;

use sam_template::{Account, Function};

use group::Group;

mod api;
mod filter;
mod group;
mod json_filter;
mod page;
mod parameters;
mod reader;

/// The log groups of the functions.
#[derive(Debug)]
pub(crate) struct Logs {
    groups: Vec<Group>,
}

impl Logs {
    /// Creates the groups of `functions`, whose logs are in `folder`. `now` is the time of their
    /// creation, Unix ms.
    pub(crate) fn new(account: &Account, functions: &[Function], folder: &Path, now: i64) -> Self {
        let groups = functions.iter().map(|function| Group::new(account, function, folder, now));
        let mut groups: Vec<Group> = groups.collect();
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Self { groups }
    }
}
