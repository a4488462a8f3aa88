//! `trace`: the traces of one session, as trees.

mod tree;

use super::Context;
use crate::cli::Trace;
use crate::error::Error;
use crate::output::{line, note};
use crate::times::now_ms;
use tree::Tree;

/// The longest period of one GetTraceSummaries, ms: AWS accepts six hours.
const PERIOD_MS: i64 = 6 * 60 * 60 * 1_000;

/// Prints the traces of a session, oldest first.
pub(super) async fn show(context: &Context, options: &Trace) -> Result<(), Error> {
    let (mut from, end, mut found) = (options.since, now_ms(), false);
    // X-Ray's filter has whole seconds. The default is one period.
    while from + 1_000 < end {
        let to = (from + PERIOD_MS).min(end);
        let ids = context.aws.trace_ids(options.id.as_str(), (from, to)).await?;
        for trace in context.aws.traces(&ids).await? {
            found = true;
            let tree = Tree::of(trace.documents);
            match context.json {
                true => line(&tree.object(&trace.id).to_string())?,
                false => {
                    line(&format!("trace {}", trace.id))?;
                    tree.lines().iter().try_for_each(|text| line(text))?;
                }
            }
        }
        from = to;
    }
    if !found {
        context.session(&options.id).await?;
        note("X-Ray has no trace of it in this time");
    }
    Ok(())
}
