//! One process of a recogniser, from its first piece of audio to its exit.

use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Limits;
use super::piece::Piece;
use super::printed::{Printed, next_line, plain};
use super::timeline::Timeline;
use super::words::Line;

/// A low CPU priority, so that the functions of the cloud are not slower.
const NICENESS: &str = "10";
/// The most bytes of the standard error that are kept: its end.
const MAX_STDERR_BYTES: usize = 4096;
/// The most characters of its last line in a reason.
const MAX_MESSAGE: usize = 300;

/// Runs the recogniser on `first` and the pieces after it, and calls `take` for each line that it
/// prints. The process is killed if the returned future is dropped.
///
/// # Errors
/// The process could not be started, failed, ended before its input, printed something else than
/// lines, or did not end in time after its input. The error is its reason as text.
pub(super) async fn run(
    command: &str,
    first: Piece,
    pieces: mpsc::Receiver<Piece>,
    limits: Limits,
    take: impl FnMut(Line),
) -> Result<(), String> {
    let mut child = start(command).map_err(|error| format!("it cannot be started: {error}"))?;
    let (Some(input), Some(output), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("it has no standard streams".to_owned());
    };
    let timeline = Mutex::new(Timeline::new(first.point()));
    let is_fed = AtomicBool::new(false);
    let fed = async {
        let reads = feed(first, pieces, input, &timeline, limits, &is_fed).await;
        if reads {
            tokio::time::sleep(limits.stall).await;
        }
        let missing = if reads { "end after its input" } else { "read its input" };
        Err(format!("it did not {missing} within {} s", limits.stall.as_secs_f64()))
    };
    let exited = async {
        let ended = printed_until_exit(&mut child, output, &timeline, take);
        let (status, message) = tokio::try_join!(ended, last_line(errors))?;
        outcome(status, is_fed.load(Ordering::Relaxed), &message)
    };
    tokio::select! {
        outcome = exited => outcome,
        stalled = fed => stalled,
    }
}

fn start(command: &str) -> std::io::Result<Child> {
    // The shell is replaced by the program, so that the program is killed.
    Command::new("nice")
        .args(["-n", NICENESS, "sh", "-c", &format!("exec {command}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Writes the samples of all pieces, and sets `is_fed` if all were written. Ends the input after
/// the last one, or when none has arrived for `limits.idle`. Returns false if the process did not
/// read a piece in time.
async fn feed(
    first: Piece,
    mut pieces: mpsc::Receiver<Piece>,
    input: ChildStdin,
    timeline: &Mutex<Timeline>,
    limits: Limits,
    is_fed: &AtomicBool,
) -> bool {
    let (mut input, mut next) = (Some(input), Some(first));
    while let Some(piece) = next {
        if let Some(pipe) = &mut input {
            match timeout(limits.stall, write(pipe, &piece, timeline)).await {
                Ok(Ok(())) => {}
                // The process has closed its input: the rest is not written.
                Ok(Err(_)) => input = None,
                Err(_) => return false,
            }
        }
        next = match timeout(limits.idle, pieces.recv()).await {
            Ok(next) => next,
            Err(_) => {
                pieces.close();
                pieces.recv().await
            }
        };
    }
    is_fed.store(input.is_some(), Ordering::Relaxed);
    true
}

async fn write(
    input: &mut ChildStdin,
    piece: &Piece,
    timeline: &Mutex<Timeline>,
) -> std::io::Result<()> {
    let pcm = piece.pcm();
    if pcm.is_empty() {
        return Ok(());
    }
    let silence = locked(timeline).add(piece.point(), piece.count);
    input.write_all(&vec![0; usize::try_from(2 * silence).unwrap_or_default()]).await?;
    input.write_all(&pcm).await
}

/// Takes the printed lines to the end of the output, and waits for the exit.
async fn printed_until_exit(
    child: &mut Child,
    output: ChildStdout,
    timeline: &Mutex<Timeline>,
    mut take: impl FnMut(Line),
) -> Result<ExitStatus, String> {
    let mut output = BufReader::new(output);
    while let Some(line) = next_line(&mut output).await? {
        if !line.is_empty() {
            let printed = Printed::parse(&line)?;
            take(printed.placed(&locked(timeline)));
        }
    }
    child.wait().await.map_err(|error| format!("it cannot be waited for: {error}"))
}

/// Returns the last line of the standard error, once that has ended.
async fn last_line(mut errors: impl AsyncRead + Unpin) -> Result<String, String> {
    let (mut kept, mut read) = (Vec::new(), [0; MAX_STDERR_BYTES]);
    // Output that cannot be read has no further lines.
    while let Ok(length @ 1..) = errors.read(&mut read).await {
        kept.extend_from_slice(&read[..length]);
        kept.drain(..kept.len().saturating_sub(MAX_STDERR_BYTES));
    }
    let text = String::from_utf8_lossy(&kept);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    Ok(plain(last.unwrap_or_default(), MAX_MESSAGE))
}

fn outcome(status: ExitStatus, is_fed: bool, message: &str) -> Result<(), String> {
    let detail = if message.is_empty() { String::new() } else { format!(": {message}") };
    match (status.success(), is_fed) {
        (true, true) => Ok(()),
        (true, false) => Err(format!("it ended before its input{detail}")),
        (false, _) => Err(format!("it ended with {status}{detail}")),
    }
}

fn locked<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
