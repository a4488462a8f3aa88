//! `session-ops`: what an operator does with sessions, streams, events and dead letters, on AWS and
//! on the local cloud.

mod aws;
mod cli;
mod commands;
mod environment;
mod error;
mod output;
mod redrive;
mod times;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    if cli.connection.aws_cli {
        output::comment_notes();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(source) => Err(error::Error::Io { what: "start the runtime", source }),
    };
    match result {
        Ok(code) => code,
        // The reader of a pipe has ended, as `head` does.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("session-ops: {error}"));
            error.exit_code()
        }
    }
}
