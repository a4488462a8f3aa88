//! The lines that are added to a function's log.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// How much of a log a new client gets, in bytes.
const PAST: u64 = 32 * 1024;
/// The most bytes of one read, and of a line: a longer one is returned in parts.
const MAX_READ: u64 = 256 * 1024;

/// A log as one client reads it.
#[derive(Debug)]
pub(super) struct LogTail {
    package: String,
    path: PathBuf,
    /// The next byte; `None` before the first read.
    next: Option<u64>,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
}

impl LogTail {
    pub(super) fn new(folder: &Path, package: &str) -> Self {
        let path = folder.join(format!("{package}.log"));
        Self { package: package.to_owned(), path, next: None, rest: Vec::new() }
    }

    /// Returns the function's package.
    pub(super) fn package(&self) -> &str {
        &self.package
    }

    /// Returns the lines since the last read, at first the last ones; none while there is no log.
    pub(super) async fn read(&mut self) -> Vec<String> {
        let Ok((from, mut bytes)) = self.bytes().await else { return Vec::new() };
        let starts_in_a_line = self.next.is_none() && from > 0;
        self.next = Some(from + bytes.len() as u64);
        if starts_in_a_line {
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            bytes.drain(..end);
        }
        self.rest.append(&mut bytes);
        let end = match self.rest.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if self.rest.len() as u64 >= MAX_READ => self.rest.len(),
            None => 0,
        };
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }

    async fn bytes(&self) -> std::io::Result<(u64, Vec<u8>)> {
        let mut file = tokio::fs::File::open(&self.path).await?;
        let length = file.metadata().await?.len();
        let from = self.next.unwrap_or(length.saturating_sub(PAST));
        file.seek(SeekFrom::Start(from)).await?;
        let mut bytes = Vec::new();
        file.take(MAX_READ).read_to_end(&mut bytes).await?;
        Ok((from, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whole_lines_are_returned_once() {
        let (folder, package) = (std::env::temp_dir(), format!("tail-{}", uuid::Uuid::new_v4()));
        let path = folder.join(format!("{package}.log"));
        let mut tail = LogTail::new(&folder, &package);
        assert!(tail.read().await.is_empty());
        tokio::fs::write(&path, "one\ntwo\nthr").await.unwrap();
        assert_eq!(tail.read().await, ["one", "two"]);
        tokio::fs::write(&path, "one\ntwo\nthree\n").await.unwrap();
        assert_eq!(tail.read().await, ["three"]);
        tokio::fs::remove_file(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_returned_in_parts() {
        let (folder, package) = (std::env::temp_dir(), format!("tail-{}", uuid::Uuid::new_v4()));
        let path = folder.join(format!("{package}.log"));
        let mut tail = LogTail::new(&folder, &package);
        tokio::fs::write(&path, "one\n").await.unwrap();
        assert_eq!(tail.read().await, ["one"]);
        let long = "x".repeat(MAX_READ as usize + 10);
        tokio::fs::write(&path, format!("one\n{long}")).await.unwrap();
        assert_eq!(tail.read().await, [&long[10..]]);
        assert!(tail.read().await.is_empty());
        tokio::fs::write(&path, format!("one\n{long}\n")).await.unwrap();
        assert_eq!(tail.read().await, [&long[..10]]);
        tokio::fs::remove_file(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_long_log_starts_with_a_whole_line() {
        let (folder, package) = (std::env::temp_dir(), format!("tail-{}", uuid::Uuid::new_v4()));
        let path = folder.join(format!("{package}.log"));
        let line = format!("{}\n", "x".repeat(999));
        tokio::fs::write(&path, line.repeat(100)).await.unwrap();
        let lines = LogTail::new(&folder, &package).read().await;
        assert_eq!((lines.len(), lines[0].len()), (32, 999));
        tokio::fs::remove_file(&path).await.unwrap();
    }
}
