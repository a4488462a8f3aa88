//! The subcommands.

mod control;
mod logs;
mod replay;
mod sessions;
mod streams;
mod trace;

use std::io::Write as _;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::aws::Aws;
use crate::cli::{Cli, Command, Sessions, Streams};
use crate::environment::Environment;
use crate::error::Error;
use crate::redrive;
use serde_json::Value;
use session::SessionId;

/// What every subcommand needs.
pub(crate) struct Context {
    pub(crate) aws: Aws,
    pub(crate) env: Environment,
    /// Whether output is JSON.
    pub(crate) json: bool,
}

impl Context {
    /// Returns the record of a session.
    ///
    /// # Errors
    /// [`Error::NoSession`].
    async fn session(&self, id: &SessionId) -> Result<Value, Error> {
        let session = self.aws.item(&self.env.sessions(), id).await?;
        session.ok_or_else(|| Error::NoSession(id.clone()))
    }
}

/// Returns the completion script for a shell.
fn completion(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "session-ops", &mut script);
    let script = String::from_utf8_lossy(&script);
    // In the script for bash, clap_complete 4.6 compares subcommands with labels in which the
    // hyphen of the name is another word than where it sets them.
    script.replace("session__subcmd__ops__", "session__ops__")
}

/// Runs a command and returns its exit code.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Error> {
    if let Command::Completion { shell } = cli.command {
        let written = std::io::stdout().write_all(completion(shell).as_bytes());
        return written.map(|()| ExitCode::SUCCESS).map_err(Error::io("print"));
    }
    let env = Environment::new(&cli.env);
    let context = Context { aws: Aws::load(&cli.connection).await?, env, json: cli.json };
    let context = &context;
    match cli.command {
        Command::Sessions(Sessions::List { status }) => sessions::list(context, status).await?,
        Command::Sessions(Sessions::Show { id }) => sessions::show(context, &id).await?,
        Command::Streams(Streams::List) => streams::list(context).await?,
        Command::Streams(Streams::Show { id }) => streams::show(context, &id).await?,
        Command::Streams(Streams::Top { limit, watch }) => {
            streams::top(context, limit, watch).await?;
        }
        Command::Stop { id, dry_run } => control::stop(context, &id, dry_run).await?,
        Command::Logs(options) => logs::show(context, &options).await?,
        Command::Trace(options) => trace::show(context, &options).await?,
        Command::Reconcile => return control::reconcile(context).await,
        Command::Replay(options) => return replay::run(context, &options).await,
        Command::Redrive(options) => return redrive::run(context, &options).await,
        Command::Completion { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}
