//! The command line.

use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use session::SessionId;

use crate::times::{parse_interval, parse_time};

/// Sessions, streams, logs, replay and redrive, on AWS and on the local cloud.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// The environment of the stack: the end of its resources' names.
    #[arg(
        long,
        global = true,
        env = "SESSION_OPS_ENV",
        default_value = "dev",
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(crate) env: String,
    /// Print one JSON object a line instead of a table.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  something is left: letters were kept or not read, a replay failed, records cannot be
       read, or the output was not written
    2  wrong arguments
    3  AWS refused a call or did not answer
    4  there is no such session
  130  interrupted; letters that were not deleted are in their queue";

/// How AWS is reached, with the options of the AWS CLI.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Connection {
    /// A profile of the AWS configuration. It replaces keys in the environment.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The region.
    #[arg(long, global = true, value_name = "NAME",
          value_parser = NonEmptyStringValueParser::new())]
    pub(crate) region: Option<String>,
    /// Send all calls to this URL, for example to the local cloud.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// How long AWS may take to answer a request, with its retries. A function that is waited for
    /// may take 15 minutes.
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s",
          value_parser = parse_interval)]
    pub(crate) timeout: Duration,
    /// Print each request as a command of the AWS CLI to stderr, before it is made.
    #[arg(long, global = true)]
    pub(crate) aws_cli: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The sessions.
    #[command(subcommand)]
    Sessions(Sessions),
    /// The delivery of the sessions' streams.
    #[command(subcommand)]
    Streams(Streams),
    /// End the delivery of a session: what is in its stream is delivered, and nothing after it.
    ///
    /// Final. The session is still open for its speaker until the next health check, at most five
    /// minutes later, ends it with the reason `lost`.
    Stop {
        /// The session.
        id: SessionId,
        /// Look the session up, and do not stop it.
        #[arg(long)]
        dry_run: bool,
    },
    /// The lines of a session in the logs of all functions, by their time.
    Logs(Logs),
    /// The traces of a session in X-Ray, as trees of what was done, where and for how long.
    ///
    /// Traces have no environment, so --env has no effect.
    Trace(Trace),
    /// Run the health check now, and print what it did.
    ///
    /// It starts no session that is younger than 3 minutes, because its event may still be in
    /// delivery.
    Reconcile,
    /// Send archived events to the consumer again.
    Replay(Replay),
    /// Deliver the messages of the dead-letter queues, and delete those that were accepted.
    Redrive(Redrive),
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// The statuses as the table stores them.
const STATUSES: [&str; 6] = ["creating", "active", "paused", "ended", "cleaning", "removed"];

#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List the sessions.
    List {
        /// Only those in this status, the last changed first.
        #[arg(long, value_name = "STATUS", ignore_case = true,
              value_parser = PossibleValuesParser::new(STATUSES).map(|it| it.to_lowercase()))]
        status: Option<String>,
    },
    /// Show a session, its delivery and the processor's position.
    Show {
        /// The session.
        id: SessionId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Streams {
    /// List the items of the lease table.
    List,
    /// Show the delivery of a session: lease, desired state and checkpoint.
    Show {
        /// The session.
        id: SessionId,
    },
    /// The deliveries that have not ended, those without audio for the longest time first.
    Top {
        /// The most to show.
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
        /// Show them again after this time, until Ctrl-C.
        #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "2s",
              value_parser = parse_interval)]
        watch: Option<Duration>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The session.
    pub(crate) id: SessionId,
    /// Continue with new lines, until Ctrl-C.
    #[arg(long)]
    pub(crate) follow: bool,
    /// The first time: RFC 3339, or a duration before now.
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = parse_time)]
    pub(crate) since: i64,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// The session.
    pub(crate) id: SessionId,
    /// The first time: RFC 3339, or a duration before now. X-Ray keeps traces for 30 days.
    #[arg(long, default_value = "6h", value_name = "TIME", value_parser = parse_time)]
    pub(crate) since: i64,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The first time: RFC 3339, or a duration before now. With --session, when it was created.
    #[arg(long, value_name = "TIME", value_parser = parse_time,
          required_unless_present = "session")]
    pub(crate) from: Option<i64>,
    /// The last time. With --session, when it last changed; otherwise now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) to: Option<i64>,
    /// Only the period of this session. EventBridge replays all events of a period: those of other
    /// sessions have no effect.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<SessionId>,
    /// Wait until the replay has ended.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Find the archive, and start nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// The queue; both if absent.
    #[arg(long, value_enum)]
    pub(crate) queue: Option<QueueKind>,
    /// Deliver to this function instead of the processor. Only with `--queue chunks`.
    #[arg(long, value_name = "FUNCTION", requires = "queue")]
    pub(crate) to: Option<String>,
    /// Only letters that contain this text, for example a session, or have it as message id.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) filter: Option<String>,
    /// Delete the selected letters without delivering them, also damaged ones.
    #[arg(long, requires = "queue", requires = "filter", conflicts_with = "to")]
    pub(crate) discard: bool,
    /// Delete chunks for which the processor answers `duplicate`. A processor with a watermark also
    /// answers so for a chunk that it rejected earlier; the audio of that chunk is then lost.
    #[arg(long)]
    pub(crate) delete_duplicates: bool,
    /// List the letters and what would be done with them. They are hidden from other readers
    /// meanwhile.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueueKind {
    /// Events that could not be delivered or handled.
    Events,
    /// Chunks that the processor rejected.
    Chunks,
}

impl QueueKind {
    /// Returns its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Chunks => "chunks",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn every_status_can_be_listed() {
        let names = session::SessionStatus::ALL.map(|it| serde_json::json!(it));
        assert_eq!(names, STATUSES.map(serde_json::Value::from));
    }

    #[test]
    fn options_of_the_connection_stand_anywhere() {
        let words = ["session-ops", "sessions", "list", "--region", "eu-west-1", "--json"];
        let cli = Cli::try_parse_from(words).unwrap();
        assert_eq!(cli.connection.region.as_deref(), Some("eu-west-1"));
        assert!(cli.json && Cli::try_parse_from(["session-ops", "replay"]).is_err());
    }
}
