//! One WAV file per session. Samples are written at their positions.
//!
//! The length in the header is the number of *confirmed* samples: written and known to be accepted.
//! It is updated after each chunk, so the file is always playable. Samples after this length were
//! received, and the next step of the watermark shows whether they were accepted: a crash or a lost
//! response between the step and its confirmation leaves accepted samples there, so the file is not
//! truncated earlier. A gap is written as zeros, which is silence.
//!
//! The file is locked while it is open: during a handoff two senders may overlap briefly, so two
//! instances of this function may serve the same session.
//!
//! Layout: the 44-byte header of PCM (RIFF, `fmt ` 16 bytes, `data`), little-endian. Sizes are 32
//! bits: beyond 37 hours the header contains 4 GiB, and the file continues to grow.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use session::SessionId;
use session::audio::{CHANNELS, SAMPLE_RATE};

use crate::error::RecordingError;

const HEADER: u64 = 44;
const SAMPLE_BYTES: u64 = 2;

/// The open and locked WAV file of a session.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: File,
    /// Number of confirmed samples, as in the header.
    confirmed: u64,
}

impl Recording {
    /// Opens or creates `{folder}/{sessionId}.wav` and waits for its lock.
    ///
    /// # Errors
    /// [`RecordingError`] if the folder or file cannot be created, read or locked.
    pub async fn open(folder: &Path, session: &SessionId) -> Result<Self, RecordingError> {
        let path = folder.join(format!("{session}.wav"));
        let failed = |source| RecordingError { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(failed)?;
        let file = locked(file).await.map_err(failed)?;
        let mut recording = Self { path: path.clone(), file, confirmed: 0 };
        recording.resume().map_err(failed)?;
        Ok(recording)
    }

    /// Returns the number of confirmed samples.
    pub fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Writes samples at their position. Confirmed samples are not overwritten.
    ///
    /// # Errors
    /// [`RecordingError`] on an I/O error.
    pub fn write(&mut self, start: u64, samples: &[i16]) -> Result<(), RecordingError> {
        let known = usize::try_from(self.confirmed.saturating_sub(start)).unwrap_or(usize::MAX);
        let new = samples.get(known..).unwrap_or_default();
        let bytes: Vec<u8> = new.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let at = HEADER + SAMPLE_BYTES * start.max(self.confirmed);
        let written = match bytes.is_empty() {
            true => Ok(()),
            false => self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.write_all(&bytes)),
        };
        written.map_err(|source| self.failed(source))
    }

    /// Confirms all samples up to `end`, after the watermark moved from `before` to `end` by
    /// samples written at `start`. The range from `before` to `start` is a gap; samples after `end`
    /// were never accepted and are truncated.
    ///
    /// # Errors
    /// [`RecordingError`] on an I/O error.
    pub fn advance(&mut self, before: u64, start: u64, end: u64) -> Result<(), RecordingError> {
        self.confirmed = end;
        self.silence(before, start)
            .and_then(|()| self.file.set_len(HEADER + SAMPLE_BYTES * end))
            .and_then(|()| self.write_header())
            .map_err(|source| self.failed(source))
    }

    /// Confirms all samples before `end`, which were accepted earlier. Does nothing if they are
    /// already confirmed.
    ///
    /// # Errors
    /// [`RecordingError`] on an I/O error.
    pub fn confirm(&mut self, end: u64) -> Result<(), RecordingError> {
        if end <= self.confirmed {
            return Ok(());
        }
        self.confirmed = end;
        self.write_header().map_err(|source| self.failed(source))
    }

    /// Overwrites the range between two positions with zeros.
    fn silence(&mut self, from: u64, to: u64) -> std::io::Result<()> {
        let mut left = to.saturating_sub(from) * SAMPLE_BYTES;
        self.file.seek(SeekFrom::Start(HEADER + SAMPLE_BYTES * from))?;
        let zeros = [0; 8192];
        while left > 0 {
            let piece = left.min(zeros.len() as u64);
            self.file.write_all(&zeros[..piece as usize])?;
            left -= piece;
        }
        Ok(())
    }

    /// Reads the number of confirmed samples, or initializes a new file.
    fn resume(&mut self) -> std::io::Result<()> {
        let length = self.file.metadata()?.len();
        if length < HEADER {
            self.file.set_len(0)?;
            return self.write_header();
        }
        let mut header = [0; HEADER as usize];
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_exact(&mut header)?;
        let size = u32::from_le_bytes([header[40], header[41], header[42], header[43]]);
        let held = (length - HEADER) / SAMPLE_BYTES;
        self.confirmed = match size {
            // The length exceeds the header's 32 bits: uses the file's length.
            u32::MAX => held,
            size => (u64::from(size) / SAMPLE_BYTES).min(held),
        };
        Ok(())
    }

    fn write_header(&mut self) -> std::io::Result<()> {
        let data = u32::try_from(self.confirmed * SAMPLE_BYTES).unwrap_or(u32::MAX);
        let block = u16::from(CHANNELS) * SAMPLE_BYTES as u16;
        let mut header = Vec::with_capacity(HEADER as usize);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&data.saturating_add(HEADER as u32 - 8).to_le_bytes());
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&16_u32.to_le_bytes());
        header.extend_from_slice(&1_u16.to_le_bytes()); // PCM
        header.extend_from_slice(&u16::from(CHANNELS).to_le_bytes());
        header.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
        header.extend_from_slice(&(SAMPLE_RATE * u32::from(block)).to_le_bytes());
        header.extend_from_slice(&block.to_le_bytes());
        header.extend_from_slice(&16_u16.to_le_bytes()); // bits per sample
        header.extend_from_slice(b"data");
        header.extend_from_slice(&data.to_le_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)
    }

    fn failed(&self, source: std::io::Error) -> RecordingError {
        RecordingError { path: self.path.clone(), source }
    }
}

/// Acquires the lock immediately if it is free; otherwise waits on a blocking thread.
async fn locked(file: File) -> std::io::Result<File> {
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    waiting.await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionId {
        "blessed-shepherd-123".parse().unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("recording-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn samples(path: &Path) -> Vec<i16> {
        let bytes = std::fs::read(path.join("blessed-shepherd-123.wav")).unwrap();
        let data = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize, data + 36);
        assert_eq!((&bytes[..4], &bytes[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
        bytes[44..44 + data].as_chunks::<2>().0.iter().copied().map(i16::from_le_bytes).collect()
    }

    #[tokio::test]
    async fn what_is_confirmed_stays_and_what_was_never_accepted_goes() {
        let folder = folder("confirmed");
        let mut file = Recording::open(&folder, &session()).await.unwrap();
        file.write(0, &[1, 2, 3]).unwrap();
        file.advance(0, 0, 3).unwrap();
        file.write(3, &[9, 9]).unwrap();
        drop(file);
        let mut file = Recording::open(&folder, &session()).await.unwrap();
        assert_eq!(file.confirmed(), 3);
        file.write(1, &[7, 7, 4]).unwrap();
        file.advance(3, 1, 4).unwrap();
        drop(file);
        assert_eq!(samples(&folder), [1, 2, 3, 4]);
        let length = std::fs::metadata(folder.join("blessed-shepherd-123.wav")).unwrap().len();
        assert_eq!(length, HEADER + 4 * SAMPLE_BYTES);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_was_accepted_but_not_confirmed_is_not_lost() {
        let folder = folder("unconfirmed");
        let mut file = Recording::open(&folder, &session()).await.unwrap();
        file.write(0, &[1, 2]).unwrap(); // the watermark moved, but its response was lost
        drop(file);
        let mut file = Recording::open(&folder, &session()).await.unwrap();
        file.write(2, &[3]).unwrap();
        file.advance(2, 2, 3).unwrap();
        drop(file);
        assert_eq!(samples(&folder), [1, 2, 3]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_gap_is_silence_and_leftovers_do_not_sound_in_it() {
        let folder = folder("gap");
        let mut file = Recording::open(&folder, &session()).await.unwrap();
        file.write(0, &[1]).unwrap();
        file.advance(0, 0, 1).unwrap();
        file.write(1, &[5, 5]).unwrap();
        drop(file);
        let mut file = Recording::open(&folder, &session()).await.unwrap();
        file.write(4, &[2]).unwrap();
        file.advance(1, 4, 5).unwrap();
        file.advance(5, 7, 7).unwrap();
        drop(file);
        assert_eq!(samples(&folder), [1, 0, 0, 0, 2, 0, 0]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn the_second_writer_waits_for_the_first() {
        let folder = folder("lock");
        let mut first = Recording::open(&folder, &session()).await.unwrap();
        let (path, id) = (folder.clone(), session());
        let second =
            tokio::spawn(async move { Recording::open(&path, &id).await.unwrap().confirmed() });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        first.write(0, &[1, 2]).unwrap();
        first.advance(0, 0, 2).unwrap();
        drop(first);
        assert_eq!(second.await.unwrap(), 2);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
