//! The output of a function: written line by line to its log file, and to stderr if requested.

use std::io::Write;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::options::LambdaOptions;
use crate::cloudwatch::Metrics;

/// Longer lines are split (CloudWatch's limit on one event is 256 KB).
const MAX_LINE: usize = 256 * 1024;

/// The destinations of one process's output.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    file: Arc<std::fs::File>,
    prefix: Option<String>,
    metrics: Metrics,
}

impl Log {
    /// Appends to `FOLDER/NAME.log`; with `verbose` every line also goes to stderr. The metrics
    /// in a line are read.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(options: &LambdaOptions, name: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(&options.logs)?;
        let path = options.logs.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        let prefix = options.verbose.then(|| format!("[{name}] "));
        Ok(Self { file: Arc::new(file), prefix, metrics: options.metrics.clone() })
    }

    /// Writes every line of a stream until it ends.
    pub(crate) async fn drain(self, stream: impl AsyncRead + Unpin) {
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
        self.metrics.read_log_line(line);
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
