//! The command line: `up` runs the cloud; `token`, `speak`, `run`, `sessions`, `logs` and `events`
//! are its clients, `permissions` reads the template only.

use clap::{Parser, Subcommand};

use crate::discovery::base_url;
use crate::error::Error;
use crate::inspect::{events::EventsArgs, logs::LogsArgs, sessions::SessionsArgs};
use crate::permissions::{PermissionsArgs, permissions};
use crate::run::RunArgs;
use crate::speaker::SpeakArgs;
use crate::token::{TokenArgs, token};
use crate::up::{UpArgs, up};

/// The URL at which `up` serves by default.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:7878";

/// The whole system on one machine, driven by the template that deploys it.
#[derive(Debug, Parser)]
#[command(name = "local-cloud", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The URL of a running local cloud. Default: that of the variable LOCAL_CLOUD_URL, otherwise
    /// http://127.0.0.1:7878; `run` starts its own.
    #[arg(long, global = true, value_parser = base_url)]
    url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the local cloud until SIGINT or SIGTERM. Prints `ready URL` once it serves,
    /// and with `--tls-port` then `tls URL`.
    Up(UpArgs),
    /// Print a token of the running cloud's issuer.
    Token(TokenArgs),
    /// Send a recorded file to a session's stream in real time.
    Speak(SpeakArgs),
    /// Run one session from POST /sessions to the last delivery and print a report.
    Run(RunArgs),
    /// List the sessions with the state of their delivery, or show one.
    Sessions(SessionsArgs),
    /// Print the log lines of a function, or those of all functions for one session.
    Logs(LogsArgs),
    /// Print the events of the bus: session status changes, and the schedule's.
    Events(EventsArgs),
    /// Print the permissions of a template's functions as JSON lines, one action on one resource
    /// each.
    Permissions(PermissionsArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// The command failed.
    pub async fn run(self) -> Result<(), Error> {
        let url = match self.command {
            Command::Up(args) => return up(args).await,
            Command::Permissions(args) => return permissions(args),
            _ => self.url.map_or_else(url_of_environment, |url| Ok(Some(url)))?,
        };
        let url = url.as_deref();
        match self.command {
            Command::Token(args) => token(&args, url.unwrap_or(DEFAULT_URL)).await,
            Command::Speak(args) => crate::speaker::speak(args, url.unwrap_or(DEFAULT_URL)).await,
            Command::Run(args) => crate::run::run(args, url).await,
            Command::Sessions(args) => {
                crate::inspect::sessions::sessions(&args, url.unwrap_or(DEFAULT_URL)).await
            }
            Command::Logs(args) => {
                crate::inspect::logs::logs(&args, url.unwrap_or(DEFAULT_URL)).await
            }
            Command::Events(args) => {
                crate::inspect::events::events(&args, url.unwrap_or(DEFAULT_URL)).await
            }
            Command::Up(_) | Command::Permissions(_) => Ok(()),
        }
    }
}

/// Returns the URL of the variable LOCAL_CLOUD_URL; `None` if that is not set, or empty.
fn url_of_environment() -> Result<Option<String>, Error> {
    let text = std::env::var("LOCAL_CLOUD_URL").unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |reason| Error::Client(format!("LOCAL_CLOUD_URL is {text:?}: {reason}"));
    base_url(&text).map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn help_says_what_a_data_folder_does_not_keep() {
        use clap::CommandFactory;
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("up").unwrap().render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("Keep tables, audio and logs in this folder"), "{help}");
        assert!(help.contains("Streams and channels with their media"), "{help}");
    }

    #[test]
    fn a_session_is_shown_wherever_the_options_are() {
        for words in ["--json show a-b-1", "show a-b-1 --json", "a-b-1 --json", "--json a-b-1"] {
            let line = ["local-cloud", "sessions"].into_iter().chain(words.split(' '));
            assert!(Cli::try_parse_from(line).is_ok(), "{words}");
        }
    }

    #[test]
    fn a_url_is_taken_with_and_without_its_last_slash() {
        for command in [vec!["token", "--sub", "ana"], vec!["speak", "ID", "FILE"], vec!["run"]] {
            for url in ["http://127.0.0.1:1", "http://127.0.0.1:1/"] {
                let line = ["local-cloud", "--url", url].into_iter().chain(command.clone());
                let cli = Cli::try_parse_from(line).unwrap();
                assert_eq!(cli.url.as_deref(), Some("http://127.0.0.1:1"));
            }
        }
    }

    #[test]
    fn fragments_are_of_one_to_twenty_seconds_for_every_speaker() {
        for command in [vec!["speak", "ID", "FILE"], vec!["run"]] {
            for (length, taken) in
                [("999", false), ("1000", true), ("10000", true), ("20000", true), ("20001", false)]
            {
                let line = ["local-cloud"].into_iter().chain(command.clone());
                let line = line.chain(["--fragment-ms", length]);
                assert_eq!(Cli::try_parse_from(line).is_ok(), taken, "{command:?} {length}");
            }
        }
    }
}
