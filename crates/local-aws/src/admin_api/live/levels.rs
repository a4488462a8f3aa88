//! The audio that the reference processor accepted, as levels: for each 20 ms the largest sample
//! and the root mean square, both from 0 to 32768.
//!
//! The data of the event is `{"from": STEP, "stepMs": 20, "peaks": […], "rms": […]}`; `from` is the
//! number of the first step. They are computed from the session's WAV file up to the length in its
//! header, which the processor updates with each chunk.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes of a WAV file before its samples.
const HEADER: u64 = 44;
/// Duration of a step, and its samples at 16 kHz.
const STEP_MS: u64 = 20;
const STEP_SAMPLES: u64 = 320;
const STEP_BYTES: u64 = 2 * STEP_SAMPLES;
/// The most steps of one event: one minute.
const MAX_STEPS: u64 = 3000;

/// The levels of one session's audio for one client.
#[derive(Debug)]
pub(super) struct Levels {
    path: PathBuf,
    /// The next step; `None` before the first read.
    next: Option<u64>,
}

impl Levels {
    pub(super) fn new(folder: &Path, session: &str) -> Self {
        Self { path: folder.join(format!("{session}.wav")), next: None }
    }

    /// Returns the levels since the last read, at first those of the last minute. `None`: there is
    /// no further audio, or no file.
    pub(super) async fn read(&mut self) -> Option<Value> {
        let mut file = tokio::fs::File::open(&self.path).await.ok()?;
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header).await.ok()?;
        let bytes = u32::from_le_bytes([header[40], header[41], header[42], header[43]]);
        let steps = u64::from(bytes) / STEP_BYTES;
        let from = self.next.unwrap_or(steps.saturating_sub(MAX_STEPS));
        let count = steps.saturating_sub(from).min(MAX_STEPS);
        if count == 0 {
            return None;
        }
        file.seek(SeekFrom::Start(HEADER + from * STEP_BYTES)).await.ok()?;
        let mut samples = Vec::new();
        file.take(count * STEP_BYTES).read_to_end(&mut samples).await.ok()?;
        let steps = samples.chunks_exact(STEP_BYTES as usize).map(level);
        let (peaks, rms): (Vec<u16>, Vec<u16>) = steps.unzip();
        self.next = Some(from + peaks.len() as u64);
        Some(json!({ "from": from, "stepMs": STEP_MS, "peaks": peaks, "rms": rms }))
    }
}

/// Returns the largest sample and the root mean square of 16-bit samples.
fn level(step: &[u8]) -> (u16, u16) {
    let samples = step.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes));
    let (mut peak, mut squares) = (0, 0.0);
    for sample in samples {
        peak = sample.unsigned_abs().max(peak);
        squares += f64::from(sample) * f64::from(sample);
    }
    (peak, (squares / STEP_SAMPLES as f64).sqrt().round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a WAV of `samples`, of which the first `confirmed` are in the header's length.
    async fn write(path: &Path, samples: &[i16], confirmed: usize) {
        let mut bytes = vec![0; HEADER as usize];
        bytes[40..44].copy_from_slice(&(confirmed as u32 * 2).to_le_bytes());
        bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        tokio::fs::write(path, bytes).await.unwrap();
    }

    #[tokio::test]
    async fn new_audio_is_returned_once_in_whole_steps() {
        let session = format!("levels-{}", uuid::Uuid::new_v4());
        let folder = std::env::temp_dir();
        let mut levels = Levels::new(&folder, &session);
        assert_eq!(levels.read().await, None);
        let mut samples = vec![1000; 320];
        samples.extend([-2000; 320]);
        samples.extend([3000; 320]);
        let path = folder.join(format!("{session}.wav"));
        write(&path, &samples, 700).await;
        let expected = json!({"from": 0, "stepMs": 20, "peaks": [1000, 2000], "rms": [1000, 2000]});
        assert_eq!(levels.read().await, Some(expected));
        assert_eq!(levels.read().await, None);
        write(&path, &samples, 960).await;
        let expected = json!({"from": 2, "stepMs": 20, "peaks": [3000], "rms": [3000]});
        assert_eq!(levels.read().await, Some(expected));
        tokio::fs::remove_file(&path).await.unwrap();
    }

    #[test]
    fn the_smallest_sample_has_a_level() {
        let step: Vec<u8> = [i16::MIN; 320].iter().flat_map(|it| it.to_le_bytes()).collect();
        assert_eq!(level(&step), (32768, 32768));
    }
}
