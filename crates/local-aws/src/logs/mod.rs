//! CloudWatch Logs, as far as reading needs it: one log group for each function and task, with the
//! lines that its processes have written.
//!
//! - `group`: the groups and their streams.
//! - `reader`: the events of a log file, by byte position.
//! - `filter`: filter patterns of plain text, `json_filter` those in braces.
//! - `api`: the operations.
//! - `page`: pages of events, and their tokens.
//! - `parameters`: members of requests.

use std::path::Path;

use sam_template::Template;

use group::Group;

mod api;
mod filter;
mod group;
mod json_filter;
mod page;
mod parameters;
mod reader;

/// The log groups of the functions and tasks.
#[derive(Debug)]
pub(crate) struct Logs {
    groups: Vec<Group>,
}

impl Logs {
    /// Creates the groups of a template, whose logs are in `folder`. `now` is the time of their
    /// creation, Unix ms.
    pub(crate) fn new(template: &Template, folder: &Path, now: i64) -> Self {
        let of_function =
            |it: &sam_template::Function| (format!("/aws/lambda/{}", it.name), it.log.clone());
        let of_task = |it: &sam_template::Task| Some((it.log_group.clone()?, it.package.clone()));
        let logs = template.functions.iter().map(of_function);
        let logs = logs.chain(template.tasks.iter().filter_map(of_task));
        let group =
            |(name, log): (String, String)| Group::new(&template.account, name, &log, folder, now);
        let mut groups: Vec<Group> = logs.map(group).collect();
        groups.sort_by(|one, other| one.name.cmp(&other.name));
        Self { groups }
    }
}
