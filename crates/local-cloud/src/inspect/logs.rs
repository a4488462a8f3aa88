//! `local-cloud logs`: the log lines of one function, or of all functions for one session. Workers
//! count as a function.

mod line;

use serde_json::Value;

use super::cloud::Cloud;
use super::{POLL_EVERY, print, until_closed};
use crate::error::Error;
use line::{Line, names};

/// Arguments of `local-cloud logs`.
#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    /// A session, for example blessed-shepherd-123: the lines of all functions that contain its id,
    /// by time. Or a function, for example kvs-stream-consumer: all of its lines.
    #[arg(value_name = "SESSION|FUNCTION")]
    of: String,
    /// Also print new lines, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// Print each line as the function wrote it, as one JSON object with the added member
    /// `function`.
    #[arg(long)]
    json: bool,
}

/// Prints log lines of the cloud at `url`, oldest first.
///
/// # Errors
/// The cloud cannot be reached, or it has neither such a function nor a line that contains such a
/// session.
pub async fn logs(args: &LogsArgs, url: &str) -> Result<(), Error> {
    until_closed(print_all(args, &Cloud::at(url).await?).await)
}

async fn print_all(args: &LogsArgs, cloud: &Cloud) -> Result<(), Error> {
    let functions = functions(&cloud.json("/_local/state").await?);
    let function = functions.iter().find(|it| [&it.log, &it.name].contains(&&args.of));
    let session = function.is_none().then_some(args.of.as_str());
    if session.is_some_and(|session| super::session_id::check(session).is_err()) {
        return Err(unknown(&args.of, &functions));
    }
    let mut logs: Vec<Log> = match function {
        Some(function) => vec![Log::new(&function.log)],
        None => functions.iter().map(|it| Log::new(&it.log)).collect(),
    };
    let mut is_first = true;
    loop {
        let mut lines = Vec::new();
        for log in &mut logs {
            lines.extend(log.next(cloud).await?);
        }
        lines.retain(|line| session.is_none_or(|session| names(&line.text, session)));
        lines.sort_by(|one, other| one.at.cmp(&other.at));
        for line in &lines {
            print(&if args.json { line.json() } else { line.text(session) })?;
        }
        if !args.follow {
            return match lines.is_empty() {
                true => nothing(&args.of, session.is_some(), &functions),
                false => Ok(()),
            };
        }
        if is_first && lines.is_empty() {
            eprintln!("no line of {} yet; waiting for the first", args.of);
        }
        is_first = false;
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// A function of the cloud, or the task of its workers.
struct Function {
    /// The name of its log.
    log: String,
    name: String,
}

fn functions(state: &Value) -> Vec<Function> {
    let functions = state["lambda"]["functions"].as_array().into_iter().flatten();
    let tasks = state["tasks"]["services"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let functions = functions.map(|it| Function { log: text(&it["log"]), name: text(&it["name"]) });
    let tasks = tasks.map(|it| Function { log: text(&it["package"]), name: text(&it["task"]) });
    functions.chain(tasks).collect()
}

/// Returns the error of a text that names neither a function nor a session.
fn unknown(of: &str, functions: &[Function]) -> Error {
    let names: Vec<&str> = functions.iter().map(|it| it.log.as_str()).collect();
    let shown: String = of.chars().take(80).collect();
    Error::Client(format!(
        "{shown:?} is neither a function ({}) nor a session, as blessed-shepherd-123 is: \
         `local-cloud sessions` lists them",
        names.join(", ")
    ))
}

/// Reports that there is no line: an error for a session, because its id may be misspelt.
fn nothing(of: &str, is_session: bool, functions: &[Function]) -> Result<(), Error> {
    if !is_session {
        eprintln!("{of} has logged nothing yet");
        return Ok(());
    }
    let names = functions.iter().map(|it| it.log.as_str()).collect::<Vec<_>>().join(", ");
    Err(Error::Client(format!(
        "no log line contains a session {of:?}: `local-cloud sessions` lists the sessions; the \
         functions are {names}"
    )))
}

/// The log of one function, read so far.
struct Log {
    package: String,
    /// Bytes read, up to the end of a line.
    read: usize,
    /// The time of the last line that has one.
    at: String,
}

impl Log {
    fn new(package: &str) -> Self {
        Self { package: package.to_owned(), read: 0, at: String::new() }
    }

    /// Returns the complete lines that were written since the last call.
    async fn next(&mut self, cloud: &Cloud) -> Result<Vec<Line>, Error> {
        let path = format!("/_local/logs/{}?from={}", self.package, self.read);
        // A function without an invocation has no log.
        let bytes = cloud.bytes(&path).await?.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += whole;
        let text = String::from_utf8_lossy(&bytes[..whole]);
        Ok(text.lines().map(|line| self.line(line)).collect())
    }

    /// Parses a line. One without a time gets the time of the line before it.
    fn line(&mut self, text: &str) -> Line {
        let line = Line::new(&self.package, text, &self.at);
        self.at.clone_from(&line.at);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_time_follows_the_line_before_it() {
        let mut log = Log::new("f");
        let first = log.line(r#"{"timestamp":"2026-11-29T01:56:22.104Z","message":"a"}"#);
        let second = log.line("thread 'main' panicked");
        assert_eq!((first.at.as_str(), &second.at), ("2026-11-29T01:56:22.104Z", &first.at));
    }

    #[test]
    fn a_session_without_a_line_is_an_error_that_names_the_functions() {
        let functions =
            [Function { log: "audio-processor".into(), name: "audio-processor-dev".into() }];
        let error = nothing("a-b-1", true, &functions).unwrap_err().to_string();
        assert!(
            error.contains("local-cloud sessions") && error.contains("audio-processor"),
            "{error}"
        );
        assert!(nothing("audio-processor", false, &functions).is_ok());
    }
}
