//! `redrive`: delivers the messages of the dead-letter queues again.
//!
//! A letter is deleted only after its delivery was accepted. Until then it is hidden from other
//! readers, and visible again when the command ends, or two minutes after it was killed. So a
//! redrive may be interrupted and repeated: a letter may be delivered twice, which the functions
//! recognise, and none is lost.
//!
//! - `letter`: the request in a message, in the forms of EventBridge, Lambda and the consumer.
//! - `run`: one queue.
//! - `outcome`: the delivery of a letter, and what became of it.

mod letter;
mod outcome;
mod run;

use std::process::ExitCode;

use crate::cli::{QueueKind, Redrive};
use crate::commands::Context;
use crate::error::{Error, INCOMPLETE, INTERRUPTED};
use crate::output::Table;

/// Redrives one queue or both.
pub(crate) async fn run(context: &Context, options: &Redrive) -> Result<ExitCode, Error> {
    let queues = match options.queue {
        Some(queue) => vec![queue],
        None => vec![QueueKind::Events, QueueKind::Chunks],
    };
    let mut table = Table::new(
        ["QUEUE", "MESSAGE", "SENT", "LETTER", "SESSION", "TO", "OUTCOME"],
        context.json,
    );
    let mut code = ExitCode::SUCCESS;
    for kind in queues {
        let (total, interrupted) = run::queue(context, options, kind, &mut table).await?;
        eprintln!("{}", total.text(kind, options.dry_run));
        if interrupted {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        if !total.is_complete() {
            code = ExitCode::from(INCOMPLETE);
        }
    }
    Ok(code)
}
