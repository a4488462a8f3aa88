//! The log of a function: a file with one line for each line of its processes' output.

use std::io::Write;
use std::sync::Arc;

use super::options::LambdaOptions;
use crate::cloudwatch::Metrics;

/// The destinations of a line of output.
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

    #[cfg(test)]
    pub(super) fn to(file: std::fs::File) -> Self {
        let metrics = Metrics::new(crate::clock::Clock::new(1.0));
        Self { file: Arc::new(file), prefix: None, metrics }
    }

    /// Writes a line and clears it. One write for each line, so that lines of concurrent processes
    /// do not mix. A full disk loses log lines, never the invocation.
    pub(super) fn write(&self, line: &mut Vec<u8>) {
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
