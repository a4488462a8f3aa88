//! `redrive`: delivers the messages of the dead-letter queues again.
//!
//! A letter is deleted only after its delivery was accepted. Until then it is hidden from other
//! readers, and visible again when the command ends, or two minutes after it was killed. So a
//! redrive may be interrupted and repeated: a letter may be delivered twice, which the functions
//! recognise, and none is lost.
//!
//! - `letter`: the request in a message, in the forms of EventBridge, Lambda and the consumer.
//! - `run`: one queue.
//! - `interrupts`: Ctrl-C and SIGTERM.
//! - `outcome`: the delivery of a letter, and what became of it.

mod interrupts;
mod letter;
mod outcome;
mod run;

use std::process::ExitCode;

use crate::cli::{QueueKind, Redrive};
use crate::commands::Context;
use crate::error::{Error, INCOMPLETE, INTERRUPTED};
use crate::output::{Table, note};

/// Redrives one queue or both.
pub(crate) async fn run(context: &Context, options: &Redrive) -> Result<ExitCode, Error> {
    if options.to.is_some() && options.queue != Some(QueueKind::Chunks) {
        return Err(Error::Usage(
            "--to needs --queue chunks: a function that is given an event \
             would accept it without handling it",
        ));
    }
    let queues = match options.queue {
        Some(queue) => vec![queue],
        None => vec![QueueKind::Events, QueueKind::Chunks],
    };
    let mut table = Table::new(
        ["QUEUE", "MESSAGE", "SENT", "LETTER", "SESSION", "TO", "OUTCOME", "REASON"],
        context.json,
    );
    let interrupts = interrupts::Interrupts::listen()?;
    let (mut code, mut failure) = (ExitCode::SUCCESS, None);
    for kind in queues {
        let work = run::queue(context, options, kind, &mut table, &interrupts);
        let (total, result) = tokio::select! {
            biased;
            done = work => done,
            () = interrupts.second() => {
                note(&format!(
                    "{}: interrupted; letters may have been delivered and not deleted, and those \
                     that were received are visible again in two minutes",
                    kind.name()
                ));
                return Ok(ExitCode::from(INTERRUPTED));
            }
        };
        if let Some(total) = &total {
            note(&total.text(kind, options.dry_run));
        }
        match result {
            Ok(()) => {}
            // The reader of the output has ended, and the work with it.
            Err(error) if error.is_broken_pipe() => return Ok(ExitCode::from(INCOMPLETE)),
            Err(error) => {
                note(&format!("{}: {error}", kind.name()));
                failure.get_or_insert(error);
            }
        }
        if interrupts.pending() {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        if !total.is_some_and(|total| total.is_complete()) {
            code = ExitCode::from(INCOMPLETE);
        }
    }
    Ok(failure.map_or(code, |error| error.exit_code()))
}
