//! The output of a process: read from its pipes and written to its log line by line.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;

use super::logs::Log;

/// Longer lines are split (CloudWatch's limit on one event is 256 KB).
const MAX_LINE: usize = 256 * 1024;
/// The capacity of a pipe on Linux and macOS, and so the most that a process can have printed
/// without a read.
const PIPE_CAPACITY: usize = 64 * 1024;

/// The output of one process, stdout and stderr.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output(Vec<Arc<OutputPipe>>);

impl Output {
    /// Takes the piped output of a process, and writes it to `log` until the process closes it.
    ///
    /// # Errors
    /// A pipe cannot be registered with the runtime.
    pub(crate) fn of(child: &mut Child, log: &Log) -> io::Result<Self> {
        let stdout = child.stdout.take().map(|pipe| pipe.into_owned_fd());
        let stderr = child.stderr.take().map(|pipe| pipe.into_owned_fd());
        let pipes = stdout.into_iter().chain(stderr);
        let pipes: Vec<_> = pipes
            .map(|pipe| OutputPipe::new(pipe?, log.clone()).map(Arc::new))
            .collect::<io::Result<_>>()?;
        for pipe in &pipes {
            tokio::spawn(Arc::clone(pipe).drain());
        }
        Ok(Self(pipes))
    }

    /// Writes what the process has printed so far. After it, the log has each line that the process
    /// printed before it answered, so that a reader of the answer finds them.
    pub(crate) fn flush(&self) {
        for pipe in &self.0 {
            pipe.write_available(|buffer| (&pipe.unwatched).read(buffer));
        }
    }
}

/// One pipe of a process.
#[derive(Debug)]
struct OutputPipe {
    pipe: Receiver,
    /// The same pipe. The runtime does not read one that it has not seen to be readable yet.
    unwatched: File,
    unfinished: Mutex<Vec<u8>>,
    log: Log,
}

impl OutputPipe {
    fn new(pipe: OwnedFd, log: Log) -> io::Result<Self> {
        let pipe = Receiver::from_owned_fd(pipe)?;
        let unwatched = File::from(pipe.as_fd().try_clone_to_owned()?);
        Ok(Self { pipe, unwatched, unfinished: Mutex::default(), log })
    }

    /// Writes every line until the process closes the pipe.
    async fn drain(self: Arc<Self>) {
        while self.pipe.readable().await.is_ok() {
            if !self.write_available(|buffer| self.pipe.try_read(buffer)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Writes the lines that can be read without waiting, at most the capacity of a pipe.
    /// Returns false if the process has closed the pipe.
    fn write_available(&self, read: impl Fn(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut line = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 8 * 1024];
        for _ in 0..PIPE_CAPACITY / buffer.len() {
            match read(&mut buffer) {
                Ok(0) => {
                    if !line.is_empty() {
                        self.log.write(&mut line);
                    }
                    return false;
                }
                Ok(read) => self.write(&buffer[..read], &mut line),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Writes the lines that end in `bytes`, and keeps the rest in `line`.
    fn write(&self, bytes: &[u8], line: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if line.last() == Some(&b'\n') {
                line.pop();
                self.log.write(line);
            } else if line.len() >= MAX_LINE {
                self.log.write(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Stdio;
    use std::time::Duration;

    use tokio::process::Command;

    use super::*;

    /// A shell with its log in a file.
    struct Shell {
        process: Child,
        output: Output,
        path: PathBuf,
    }

    impl Shell {
        fn run(script: &str) -> Self {
            let path = std::env::temp_dir().join(format!("output-{}", uuid::Uuid::new_v4()));
            let log = Log::to(File::create(&path).unwrap());
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(Stdio::null());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
            let mut process = command.spawn().unwrap();
            let output = Output::of(&mut process, &log).unwrap();
            Self { process, output, path }
        }

        fn log(&self) -> String {
            std::fs::read_to_string(&self.path).unwrap()
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    #[tokio::test]
    async fn a_flush_writes_what_was_printed_before_it() {
        let mut shell = Shell::run("echo one; echo two >&2; printf unfinished");
        // Without an await, so that no task of this runtime reads the pipes.
        while shell.process.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(shell.log(), "");
        shell.output.flush();
        assert_eq!(shell.log(), "one\nunfinished\ntwo\n");
    }

    #[tokio::test]
    async fn more_than_a_pipe_contains_is_written_and_long_lines_are_split() {
        let mut shell = Shell::run("head -c 600000 /dev/zero | tr '\\0' a; echo; echo end");
        shell.process.wait().await.unwrap();
        while !shell.log().ends_with("\nend\n") {
            tokio::task::yield_now().await;
        }
        let log = shell.log();
        let lines: Vec<_> = log.lines().map(str::len).collect();
        assert_eq!((lines.len(), lines.iter().sum::<usize>()), (4, 600_003));
        assert!(lines[..2].iter().all(|length| (MAX_LINE..2 * MAX_LINE).contains(length)));
    }
}
