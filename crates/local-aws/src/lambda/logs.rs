//! The output of a function: written line by line to its log file, and to stderr if requested.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Longer lines are split (CloudWatch's limit on one event is 256 KB).
const MAX_LINE: usize = 256 * 1024;

/// The destinations of one process's output.
#[derive(Debug, Clone)]
pub(super) struct Log {
    file: Arc<std::fs::File>,
    prefix: Option<String>,
}

impl Log {
    /// Appends to `FOLDER/PACKAGE.log`; with `verbose` every line also goes to stderr.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn open(folder: &Path, package: &str, verbose: bool) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{package}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Arc::new(file), prefix: verbose.then(|| format!("[{package}] ")) })
    }

    /// Writes every line of a stream until it ends.
    pub(super) async fn drain(self, stream: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            let (taken, whole) = match reader.fill_buf().await {
                Ok([]) | Err(_) => break,
                Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                    Some(end) => {
                        line.extend_from_slice(&buffer[..end]);
                        (end + 1, true)
                    }
                    None => {
                        line.extend_from_slice(buffer);
                        (buffer.len(), line.len() >= MAX_LINE)
                    }
                },
            };
            reader.consume(taken);
            if whole {
                self.write(&mut line);
            }
        }
        if !line.is_empty() {
            self.write(&mut line);
        }
    }

    /// One write for each line, so that lines of concurrent processes do not mix. A full disk loses
    /// log lines, never the invocation.
    fn write(&self, line: &mut Vec<u8>) {
        line.push(b'\n');
        let _ = (&*self.file).write_all(line);
        if let Some(prefix) = &self.prefix {
            let mut out = prefix.clone().into_bytes();
            out.extend_from_slice(line);
            let _ = std::io::stderr().lock().write_all(&out);
        }
        line.clear();
    }
}
