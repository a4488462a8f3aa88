//! Writes a fragment as a Matroska document with one Cluster of unknown size: H.264 as track 1, AAC
//! as track 2.

use ebml::id;

use super::aac::{PRIMING, SAMPLE_RATE};
use super::avc::AvcConfig;
use super::fragment_builder::{Frame, Portion, Track};

/// Track numbers: HLS playback requires video as track 1 and audio as track 2 (PutMedia's page).
const VIDEO: u8 = 1;
const AUDIO: u8 = 2;

const NANOS: i64 = 1_000_000_000;

/// Writes the documents of one session.
#[derive(Debug)]
pub(super) struct Muxer {
    /// AudioSpecificConfig.
    audio_config: Vec<u8>,
    /// The time of the current Cluster, ms.
    start_ms: i64,
    /// The latest time of a block, ms.
    last_ms: Option<i64>,
}

impl Muxer {
    /// Creates a muxer for audio with this AudioSpecificConfig.
    pub(super) fn new(audio_config: &[u8]) -> Self {
        Self { audio_config: audio_config.to_vec(), start_ms: 0, last_ms: None }
    }

    /// Returns the next bytes of a fragment's document. It declares the tracks that have frames in
    /// the first portion, because KVS refuses a fragment in which a declared track has none. The
    /// Cluster begins after every block of the documents before.
    pub(super) fn write(&mut self, Portion { begins, frames, .. }: &Portion) -> Vec<u8> {
        let mut out = Vec::new();
        if *begins {
            let first_ms = frames.first().map_or(0, |frame| frame.time.as_ms());
            let after_ms = self.last_ms.map_or(0, |last_ms| last_ms + 1);
            self.start_ms = first_ms.max(after_ms).max(0);
            out = self.head(frames);
            out.extend_from_slice(&ebml::OPEN_CLUSTER);
            ebml::write(&mut out, id::TIMECODE, 1, &self.start_ms.unsigned_abs().to_be_bytes());
        }
        for frame in frames {
            ebml::write(&mut out, id::SIMPLE_BLOCK, 8, &block(frame, self.start_ms));
            self.last_ms = self.last_ms.max(Some(frame.time.as_ms()));
        }
        out
    }

    /// Returns everything before the Cluster.
    fn head(&self, frames: &[Frame]) -> Vec<u8> {
        let mut header = Vec::new();
        for (id, value) in [
            (id::EBML_VERSION, 1),
            (id::EBML_READ_VERSION, 1),
            (id::EBML_MAX_ID_LENGTH, 4),
            (id::EBML_MAX_SIZE_LENGTH, 8),
        ] {
            ebml::write(&mut header, id, 1, &[value]);
        }
        ebml::write(&mut header, id::DOC_TYPE, 1, b"matroska");
        ebml::write(&mut header, id::DOC_TYPE_VERSION, 1, &[4]);
        ebml::write(&mut header, id::DOC_TYPE_READ_VERSION, 1, &[2]);
        let mut info = Vec::new();
        ebml::write(&mut info, id::TIMECODE_SCALE, 1, &[0x0F, 0x42, 0x40]);
        ebml::write(&mut info, id::MUXING_APP, 1, b"local-cloud ingestion");
        ebml::write(&mut info, id::WRITING_APP, 1, b"local-cloud ingestion");
        let mut out = Vec::new();
        ebml::write(&mut out, id::EBML, 1, &header);
        out.extend_from_slice(&ebml::SEGMENT_START);
        ebml::write(&mut out, id::INFO, 1, &info);
        ebml::write(&mut out, id::TRACKS, 4, &self.tracks(frames));
        out
    }

    fn tracks(&self, frames: &[Frame]) -> Vec<u8> {
        let video = frames.iter().find_map(|frame| match &frame.track {
            Track::Video { config, .. } => Some(config),
            Track::Audio => None,
        });
        let mut tracks = Vec::new();
        if let Some(config) = video {
            ebml::write(&mut tracks, id::TRACK_ENTRY, 4, &video_entry(config));
        }
        if frames.iter().any(|frame| frame.track == Track::Audio) {
            ebml::write(&mut tracks, id::TRACK_ENTRY, 4, &self.audio_entry());
        }
        tracks
    }

    fn audio_entry(&self) -> Vec<u8> {
        let mut audio = Vec::new();
        ebml::write(&mut audio, id::SAMPLING_FREQUENCY, 1, &(SAMPLE_RATE as f64).to_be_bytes());
        ebml::write(&mut audio, id::CHANNELS, 1, &[1]);
        let mut entry = entry(AUDIO, 2, b"audio", b"A_AAC", &self.audio_config);
        // Rounded to a nanosecond.
        let delay = (PRIMING * NANOS + SAMPLE_RATE / 2) / SAMPLE_RATE;
        ebml::write(&mut entry, id::CODEC_DELAY, 1, &delay.to_be_bytes());
        ebml::write(&mut entry, id::AUDIO, 4, &audio);
        entry
    }
}

fn video_entry(config: &AvcConfig) -> Vec<u8> {
    let mut video = Vec::new();
    ebml::write(&mut video, id::PIXEL_WIDTH, 1, &config.size.width.to_be_bytes());
    ebml::write(&mut video, id::PIXEL_HEIGHT, 1, &config.size.height.to_be_bytes());
    let mut entry = entry(VIDEO, 1, b"kinesis_video", b"V_MPEG4/ISO/AVC", &config.record);
    ebml::write(&mut entry, id::VIDEO, 4, &video);
    entry
}

fn entry(number: u8, kind: u8, name: &[u8], codec: &[u8], private: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    ebml::write(&mut entry, id::TRACK_NUMBER, 1, &[number]);
    ebml::write(&mut entry, id::TRACK_UID, 1, &[number]);
    ebml::write(&mut entry, id::TRACK_TYPE, 1, &[kind]);
    ebml::write(&mut entry, id::FLAG_LACING, 1, &[0]);
    ebml::write(&mut entry, id::NAME, 1, name);
    ebml::write(&mut entry, id::CODEC_ID, 1, codec);
    ebml::write(&mut entry, id::CODEC_PRIVATE, 4, private);
    entry
}

/// Returns the payload of a frame's SimpleBlock in the Cluster that starts at `start_ms`.
fn block(frame: &Frame, start_ms: i64) -> Vec<u8> {
    let (number, is_key) = match frame.track {
        Track::Video { is_key, .. } => (VIDEO, is_key),
        Track::Audio => (AUDIO, true),
    };
    // Fragments are far shorter than 32 s, the maximum of an offset.
    let offset_ms = (frame.time.as_ms() - start_ms).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    let mut payload = Vec::with_capacity(frame.data.len() + 4);
    payload.push(0x80 | number);
    payload.extend_from_slice(&offset_ms.to_be_bytes());
    payload.push(if is_key { 0x80 } else { 0 });
    payload.extend_from_slice(&frame.data);
    payload
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use matroska_demuxer::{Frame as Block, MatroskaFile};

    use super::super::picture_size::PictureSize;
    use super::super::session_time::SessionTime;
    use super::*;

    fn audio(ms: i64) -> Frame {
        Frame { time: SessionTime::ms(ms), track: Track::Audio, data: vec![3] }
    }

    fn video(ms: i64) -> Frame {
        let size = PictureSize { width: 640, height: 480 };
        let config = Arc::new(AvcConfig { record: vec![1, 2, 3], size });
        Frame {
            time: SessionTime::ms(ms),
            track: Track::Video { is_key: true, config },
            data: vec![4],
        }
    }

    fn whole<const N: usize>(frames: [Frame; N]) -> Portion {
        Portion { begins: true, frames: frames.into(), ends: true }
    }

    #[test]
    fn a_demuxer_reads_both_tracks_and_every_block() {
        let mut muxer = Muxer::new(&[0x11, 0x88]);
        let mut document = muxer.write(&whole([video(1000), audio(1010)]));
        let more = Portion { begins: false, frames: vec![audio(1031)], ends: true };
        document.extend(muxer.write(&more));
        let mut file = MatroskaFile::open(std::io::Cursor::new(document)).unwrap();
        let tracks = file.tracks();
        assert_eq!(tracks[0].codec_id(), "V_MPEG4/ISO/AVC");
        assert_eq!(tracks[0].codec_private(), Some(&[1, 2, 3][..]));
        let picture = tracks[0].video().unwrap();
        assert_eq!((picture.pixel_width().get(), picture.pixel_height().get()), (640, 480));
        assert_eq!((tracks[1].codec_id(), tracks[1].codec_delay()), ("A_AAC", Some(21_333_333)));
        let (mut block, mut blocks) = (Block::default(), Vec::new());
        while file.next_frame(&mut block).unwrap() {
            blocks.push((block.track, block.timestamp, block.data.clone()));
        }
        assert_eq!(blocks, [(1, 1000, vec![4]), (2, 1010, vec![3]), (2, 1031, vec![3])]);
    }

    #[test]
    fn a_document_declares_only_tracks_with_frames() {
        let mut muxer = Muxer::new(&[0x11, 0x88]);
        let of = |document: Vec<u8>| {
            let file = MatroskaFile::open(std::io::Cursor::new(document)).unwrap();
            file.tracks().iter().map(|track| track.track_number().get()).collect::<Vec<u64>>()
        };
        assert_eq!(of(muxer.write(&whole([audio(0)]))), [2]);
        assert_eq!(of(muxer.write(&whole([video(100)]))), [1]);
    }

    #[test]
    fn a_cluster_begins_after_every_earlier_block() {
        let mut muxer = Muxer::new(&[]);
        muxer.write(&whole([video(0), audio(2500)]));
        let document = muxer.write(&whole([audio(2100), video(2400)]));
        let cluster = document.windows(4).position(|id| id == [0x1F, 0x43, 0xB6, 0x75]).unwrap();
        assert_eq!(document[cluster + 12..][..10], [0xE7, 0x88, 0, 0, 0, 0, 0, 0, 0x09, 0xC5]);
        assert_eq!(block(&audio(2100), 2501)[1..3], (-401_i16).to_be_bytes());
    }
}
