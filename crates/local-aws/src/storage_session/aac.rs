//! AAC-LC encoding, behind a small trait: the encoder is a young crate.

use super::session_time::SessionTime;

/// Samples of one access unit.
pub(super) const FRAME: usize = 1024;

/// Samples by which the decoded sound is late: decoding the first access unit returns this many
/// samples from before the first input.
pub(super) const PRIMING: i64 = 1024;
/// Samples a second.
pub(super) const SAMPLE_RATE: i64 = 48_000;

/// Bits per second. Ingestion's own figure is not published; speech at 96 kb/s has 29 dB SNR and
/// more against its source.
const BITRATE: u32 = 96_000;

/// The encoder failed.
#[derive(Debug, thiserror::Error)]
#[error("AAC encoder: {0}")]
pub(super) struct EncodeError(String);

/// An encoder of mono AAC-LC at 48 kHz with a delay of [`PRIMING`] samples.
pub(super) trait AacEncoder: Send {
    /// Returns the AudioSpecificConfig.
    fn config(&self) -> &[u8];

    /// Encodes the next frame, and returns its raw access unit.
    ///
    /// # Errors
    /// The encoder cannot be used any more.
    fn encode(&mut self, frame: &[i16; FRAME]) -> Result<Vec<u8>, EncodeError>;
}

/// The encoder of crate `syom`.
pub(super) struct SyomEncoder(syom::Encoder);

impl SyomEncoder {
    /// Creates an encoder.
    ///
    /// # Errors
    /// The crate does not support the format.
    pub(super) fn new() -> Result<Self, EncodeError> {
        let options = syom::EncodeOptions::raw().with_bitrate_bps(BITRATE);
        syom::Encoder::new(SAMPLE_RATE as u32, 1, &options).map(Self).map_err(failed)
    }
}

impl AacEncoder for SyomEncoder {
    fn config(&self) -> &[u8] {
        self.0.asc()
    }

    fn encode(&mut self, frame: &[i16; FRAME]) -> Result<Vec<u8>, EncodeError> {
        let samples = frame.map(|sample| f32::from(sample) / 32_768.0);
        let mut unit = Vec::new();
        let fed = self.0.feed(&[&samples], |frame| {
            unit.extend_from_slice(frame.payload);
            Ok(())
        });
        fed.map(|_| unit).map_err(failed)
    }
}

fn failed(error: syom::AacError) -> EncodeError {
    EncodeError(error.to_string())
}

/// One access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AacFrame {
    /// The time of the first sample that was encoded into it; the time of the first sample that is
    /// decoded from it plus [`PRIMING`]. A Matroska block states it, with PRIMING as CodecDelay.
    pub(super) time: SessionTime,
    /// The access unit.
    pub(super) data: Vec<u8>,
}

/// Encodes pieces of sound, each with its time.
pub(super) struct AacTrack {
    encoder: Box<dyn AacEncoder>,
    buffer: Vec<i16>,
    /// The time of the next sample.
    next: Option<SessionTime>,
}

impl AacTrack {
    pub(super) fn new(encoder: Box<dyn AacEncoder>) -> Self {
        Self { encoder, buffer: Vec::with_capacity(2 * FRAME), next: None }
    }

    /// Returns the AudioSpecificConfig.
    pub(super) fn config(&self) -> &[u8] {
        self.encoder.config()
    }

    /// Encodes 48 kHz samples that begin at `time`. Time without samples remains a gap of its
    /// length between the access units; a gap that is too short for that is filled with silence.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub(super) fn push(
        &mut self,
        time: SessionTime,
        samples: &[i16],
        out: &mut Vec<AacFrame>,
    ) -> Result<(), EncodeError> {
        let next = *self.next.get_or_insert(time);
        let gap = usize::try_from((time - next).as_samples()).unwrap_or(0);
        let padding = (FRAME - self.buffer.len() % FRAME) % FRAME;
        if gap < padding + FRAME {
            self.append(gap, samples, out)
        } else {
            // The silent frame after the padding makes the decoder return the samples before the
            // gap; its own silence is returned with the first unit after the gap, just before it.
            self.append(padding + FRAME, &[], out)?;
            self.next = Some(time);
            self.append(0, samples, out)
        }
    }

    /// Encodes what is buffered, with silence to the end of its frame, and the frame after it,
    /// whose decoding returns it.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub(super) fn finish(&mut self, out: &mut Vec<AacFrame>) -> Result<(), EncodeError> {
        let padding = (FRAME - self.buffer.len() % FRAME) % FRAME;
        self.append(padding + FRAME, &[], out)
    }

    /// Appends silence and samples, and encodes the frames that they complete.
    fn append(
        &mut self,
        silence: usize,
        samples: &[i16],
        out: &mut Vec<AacFrame>,
    ) -> Result<(), EncodeError> {
        let Some(next) = &mut self.next else { return Ok(()) };
        self.buffer.resize(self.buffer.len() + silence, 0);
        self.buffer.extend_from_slice(samples);
        let added = SessionTime::samples((silence + samples.len()) as i64);
        *next = *next + added;
        let mut time = *next - SessionTime::samples(self.buffer.len() as i64);
        let (frames, rest) = self.buffer.as_chunks::<FRAME>();
        for frame in frames {
            out.push(AacFrame { time, data: self.encoder.encode(frame)? });
            time = time + SessionTime::samples(FRAME as i64);
        }
        let kept = rest.len();
        self.buffer.drain(..self.buffer.len() - kept);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the first sample of each frame as its access unit.
    struct FirstSample;

    impl AacEncoder for FirstSample {
        fn config(&self) -> &[u8] {
            &[]
        }

        fn encode(&mut self, frame: &[i16; FRAME]) -> Result<Vec<u8>, EncodeError> {
            Ok(frame[0].to_be_bytes().to_vec())
        }
    }

    fn at(samples: i64) -> SessionTime {
        SessionTime::samples(samples)
    }

    /// Returns the times of units in samples, and their first samples.
    fn encoded(pieces: &[(i64, usize)]) -> Vec<(i64, i16)> {
        let mut track = AacTrack::new(Box::new(FirstSample));
        let mut out = Vec::new();
        for (number, (time, len)) in pieces.iter().enumerate() {
            track.push(at(*time), &vec![number as i16 + 1; *len], &mut out).unwrap();
        }
        let first = |frame: &AacFrame| i16::from_be_bytes([frame.data[0], frame.data[1]]);
        out.iter().map(|frame| (frame.time.as_samples(), first(frame))).collect()
    }

    #[test]
    fn samples_in_a_row_fill_frames_in_a_row() {
        let pieces: Vec<(i64, usize)> = (0..8).map(|n| (500 + n * 960, 960)).collect();
        let units = encoded(&pieces);
        let times: Vec<i64> = units.iter().map(|unit| unit.0).collect();
        assert_eq!(times, [500, 1524, 2548, 3572, 4596, 5620, 6644]);
    }

    #[test]
    fn a_long_gap_is_left_between_the_units_and_the_sound_before_it_is_flushed() {
        let units = encoded(&[(0, 1500), (10_000, 1024)]);
        // The frame that 1500 begins to fill, one of silence behind it, and the sound after the
        // gap, decoded from its second unit on.
        assert_eq!(units, [(0, 1), (1024, 1), (2048, 0), (10_000, 2)]);
    }

    #[test]
    fn a_short_gap_is_filled_with_silence() {
        assert_eq!(encoded(&[(0, 1024), (2000, 1024)]), [(0, 1), (1024, 0)]);
        assert_eq!(encoded(&[(0, 1024), (2048, 1024)]), [(0, 1), (1024, 0), (2048, 2)]);
    }

    #[test]
    fn the_end_is_flushed() {
        let mut track = AacTrack::new(Box::new(FirstSample));
        let mut out = Vec::new();
        track.finish(&mut out).unwrap();
        assert_eq!(out, [], "no sound, no units");
        track.push(at(0), &[1; 1030], &mut out).unwrap();
        track.finish(&mut out).unwrap();
        let times: Vec<i64> = out.iter().map(|frame| frame.time.as_samples()).collect();
        assert_eq!(times, [0, 1024, 2048]);
    }

    #[test]
    fn the_encoder_returns_one_unit_for_each_frame_and_describes_its_format() {
        let mut encoder = SyomEncoder::new().unwrap();
        // AAC-LC (2), 48 kHz (3), one channel.
        assert_eq!(encoder.config(), [0x11, 0x88]);
        for _ in 0..3 {
            assert!(!encoder.encode(&[1000; FRAME]).unwrap().is_empty());
        }
        assert!(encoder.encode(&[i16::MIN; FRAME]).is_ok(), "full scale");
    }
}
