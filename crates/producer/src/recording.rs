//! The Opus track of a recorded file.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use matroska_demuxer::{Frame, MatroskaFile, TrackType};

use crate::file_kind::{CONVERT, file_kind};
use crate::fix_sizes::fix_sizes;
use crate::{media_file, muxer, opus};

/// Maximum size of the Opus data of one file: more than a day of speech.
const MOST_BYTES: usize = 512 * 1024 * 1024;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file does not exist.
    #[error(
        "{path}: no such file{}: name an Opus .mkv, .mka or .webm file",
        media_file::searched(path)
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// It does not begin as Matroska and WebM do.
    #[error("{path}: {kind}: {}", advice(kind))]
    NotMatroska {
        /// The file.
        path: PathBuf,
        /// The kind of file that it is instead, for example `an MP3 file`.
        kind: &'static str,
    },
    /// It is Matroska or WebM, but damaged.
    #[error("{path}: a damaged Matroska or WebM file: {}", reason(source))]
    Matroska {
        /// The file.
        path: PathBuf,
        /// The demuxer's error.
        source: matroska_demuxer::DemuxError,
    },
    /// Its audio is in another codec.
    #[error(
        "{path}: the speaker plays Opus (A_OPUS) only, and this file has {found}: \
         convert it, for example with {CONVERT}"
    )]
    NotOpus {
        /// The file.
        path: PathBuf,
        /// Codec ids of its tracks.
        found: String,
    },
    /// A packet is not an Opus packet.
    #[error("{path}: packet {packet} is not an Opus packet")]
    Packet {
        /// The file.
        path: PathBuf,
        /// Index of the packet, from 0.
        packet: usize,
    },
    /// The Opus track is empty.
    #[error("{path}: the Opus track has no packet")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The Opus track is too large.
    #[error(
        "{path}: more than 1 GiB, or more than 512 MiB of Opus: take a part of its audio, for example \
         with `ffmpeg -i IN -t 3600 -vn -c:a copy OUT.mka`"
    )]
    Large {
        /// The file.
        path: PathBuf,
    },
}

/// Returns what to do about a file that is not Matroska or WebM.
fn advice(kind: &str) -> String {
    match kind {
        "a folder" | "an empty file" => "name an Opus .mkv, .mka or .webm file".to_owned(),
        _ => format!("make a Matroska or WebM file of a recording with {CONVERT}"),
    }
}

/// Returns the reason of a demuxer's error. The demuxer prints the source of a wrapped error, which
/// may be absent, instead of the wrapped error itself.
fn reason(error: &matroska_demuxer::DemuxError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// One Opus packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Start time, in ms from the start of the recording.
    pub at_ms: u64,
    /// Duration, in samples at 48 kHz.
    pub samples_48k: u32,
    /// The data.
    pub data: Vec<u8>,
}

/// The Opus track of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// OpusHead, if the file has one.
    pub codec_private: Option<Vec<u8>>,
    /// CodecDelay in ns, if the file has one.
    pub codec_delay_ns: Option<u64>,
    /// SeekPreRoll in ns, if the file has one.
    pub seek_pre_roll_ns: Option<u64>,
    /// SamplingFrequency in Hz, as declared.
    pub sampling_hz: f64,
    /// Channels, as declared.
    pub channels: u64,
    /// The packets in the order of the file.
    pub packets: Vec<Packet>,
    /// Bytes at the file's end that are not usable, if it is cut off or damaged there; absent if
    /// the file is complete.
    pub unusable_end: Option<usize>,
}

impl Recording {
    /// Reads the first Opus track of a Matroska or WebM file.
    ///
    /// # Errors
    /// [`RecordingError`], with the file and, if it contains no Opus, the codecs that it contains.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        Self::parse(path, &media_file::read(path)?)
    }

    /// Reads the first Opus track of a Matroska or WebM file from its bytes. Errors name it `path`.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, RecordingError> {
        let fixed =
            fix_sizes(bytes).ok_or_else(|| media_file::not_matroska(path, file_kind(bytes)))?;
        let damaged = |source| RecordingError::Matroska { path: path.to_owned(), source };
        let mut file = MatroskaFile::open(Cursor::new(fixed.document)).map_err(damaged)?;
        let codec = |id: &str| id.trim_end_matches('\0').to_owned();
        let Some(track) = file.tracks().iter().find(|track| {
            track.track_type() == TrackType::Audio && codec(track.codec_id()) == "A_OPUS"
        }) else {
            let found: Vec<String> =
                file.tracks().iter().map(|track| codec(track.codec_id())).collect();
            let found = if found.is_empty() { "no track".to_owned() } else { found.join(", ") };
            return Err(RecordingError::NotOpus { path: path.to_owned(), found });
        };
        let number = track.track_number().get();
        let mut recording = Self {
            codec_private: track.codec_private().map(<[u8]>::to_vec),
            codec_delay_ns: track.codec_delay(),
            seek_pre_roll_ns: track.seek_pre_roll(),
            sampling_hz: track.audio().map_or(48_000.0, |audio| audio.sampling_frequency()),
            channels: track.audio().map_or(1, |audio| audio.channels().get()),
            packets: Vec::new(),
            unusable_end: fixed.unusable,
        };
        let scale = u128::from(file.info().timestamp_scale().get());
        let mut held = 0;
        let mut frame = Frame::default();
        while file.next_frame(&mut frame).map_err(damaged)? {
            if frame.track != number {
                continue;
            }
            held += frame.data.len();
            if held > MOST_BYTES {
                return Err(RecordingError::Large { path: path.to_owned() });
            }
            let at_ns = u128::from(frame.timestamp) * scale;
            recording.take(path, at_ns, std::mem::take(&mut frame.data))?;
        }
        if recording.packets.is_empty() {
            return Err(RecordingError::Empty { path: path.to_owned() });
        }
        Ok(recording)
    }

    /// Returns a warning if the file at `path` is cut off or damaged at its end.
    pub fn warning(&self, path: &Path) -> Option<String> {
        let path = path.display();
        self.unusable_end.map(|bytes| match bytes {
            0 => format!("{path} is cut off: it ends before the end that its sizes declare"),
            bytes => format!(
                "{path} is cut off or damaged at its end, or has a second Segment: its last {bytes} \
                 bytes are not used"
            ),
        })
    }

    fn take(&mut self, path: &Path, at_ns: u128, data: Vec<u8>) -> Result<(), RecordingError> {
        let packet = self.packets.len();
        let samples_48k = opus::samples_48k(&data)
            .ok_or_else(|| RecordingError::Packet { path: path.to_owned(), packet })?;
        let at_ms = u64::try_from((at_ns + 500_000) / 1_000_000).unwrap_or(u64::MAX);
        self.packets.push(Packet { at_ms, samples_48k, data });
        Ok(())
    }

    /// Returns the beginning of the recording: the packets that start before `duration_ms`.
    #[must_use]
    pub fn first(mut self, duration_ms: u64) -> Self {
        self.packets.retain(|packet| packet.at_ms < duration_ms);
        self
    }

    /// Returns the number of fragments of at most `fragment_ms` that it is sent in.
    pub fn fragments(&self, fragment_ms: u64) -> usize {
        muxer::fragments(&self.packets, fragment_ms).len()
    }

    /// Returns the samples at 48 kHz before the first valid one: OpusHead's pre-skip, or else
    /// CodecDelay, or else 0.
    pub fn pre_skip_48k(&self) -> u64 {
        self.codec_private
            .as_deref()
            .and_then(opus::pre_skip_48k)
            .map(u64::from)
            .or_else(|| self.codec_delay_ns.map(|ns| (ns * 48 + 500_000) / 1_000_000))
            .unwrap_or_default()
    }

    /// Returns the samples at 16 kHz in its packets, after the pre-skip.
    pub fn samples_16k(&self) -> u64 {
        let all: u64 = self.packets.iter().map(|packet| u64::from(packet.samples_48k)).sum();
        all.saturating_sub(self.pre_skip_48k()) / 3
    }

    /// Returns the duration in ms.
    pub fn duration_ms(&self) -> u64 {
        let end = |packet: &Packet| packet.at_ms + u64::from(packet.samples_48k) / 48;
        self.packets.last().map_or(0, end)
    }
}
