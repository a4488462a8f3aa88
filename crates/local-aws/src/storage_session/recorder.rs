//! Makes fragments of the media that arrives in a storage session: RTP time to session time, Opus
//! to AAC, H.264 to its stored form, both tracks cut together.

use super::aac::{AacEncoder, AacFrame, AacTrack, EncodeError};
use super::avc::AvcTrack;
use super::fragment_builder::{FragmentBuilder, FragmentOptions, Frame, Portion, Track};
use super::media_clock::{MediaClock, RtpStamp};
use super::muxer::Muxer;
use super::opus::{DecodeError, OpusPacket, OpusTrack};
use super::session_time::SessionTime;

/// A picture is larger than ingestion allows.
#[derive(Debug, thiserror::Error)]
#[error("a picture of {width}x{height} is larger than 1920x1920, the maximum of ingestion")]
pub(super) struct PictureTooLarge {
    width: u32,
    height: u32,
}

/// A fragment, or the next part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    /// Bytes of a Matroska document with one Cluster.
    pub(super) bytes: Vec<u8>,
    /// Whether the document ends with them.
    pub(super) ends: bool,
}

/// The media of one session.
pub(super) struct Recorder {
    clock: MediaClock,
    opus: OpusTrack,
    aac: AacTrack,
    avc: AvcTrack,
    builder: FragmentBuilder,
    muxer: Muxer,
    /// Reused for the output of the encoder.
    units: Vec<AacFrame>,
}

impl Recorder {
    /// Creates a recorder.
    ///
    /// # Errors
    /// The decoder cannot be created.
    pub(super) fn new(
        fragments: FragmentOptions,
        encoder: Box<dyn AacEncoder>,
    ) -> Result<Self, DecodeError> {
        let aac = AacTrack::new(encoder);
        Ok(Self {
            clock: MediaClock::default(),
            opus: OpusTrack::new()?,
            muxer: Muxer::new(aac.config()),
            aac,
            avc: AvcTrack::default(),
            builder: FragmentBuilder::new(fragments),
            units: Vec::new(),
        })
    }

    /// Takes an Opus packet.
    ///
    /// # Errors
    /// The encoder failed, and the session cannot go on.
    pub(super) fn audio(
        &mut self,
        stamp: &RtpStamp,
        sequence: u64,
        data: &[u8],
    ) -> Result<(), EncodeError> {
        let time = self.clock.audio(stamp);
        let Some(sound) = self.opus.decode(&OpusPacket { time, sequence, data }) else {
            return Ok(());
        };
        self.aac.push(sound.time, &sound.samples, &mut self.units)?;
        self.cut_units();
        Ok(())
    }

    /// Takes a picture in Annex B form.
    ///
    /// # Errors
    /// The picture is larger than ingestion allows, and the session cannot go on.
    pub(super) fn video(
        &mut self,
        stamp: &RtpStamp,
        annex_b: &[u8],
    ) -> Result<(), PictureTooLarge> {
        let time = self.clock.video(stamp);
        if let Some(picture) = self.avc.convert(annex_b) {
            let size = picture.config.size;
            if !size.is_supported() {
                return Err(PictureTooLarge { width: size.width, height: size.height });
            }
            let track = Track::Video { is_key: picture.is_key, config: picture.config };
            self.builder.push(Frame { time, track, data: picture.data });
        }
        Ok(())
    }

    /// Returns what can be stored next.
    pub(super) fn poll(&mut self, now: SessionTime) -> Option<Recorded> {
        let portion = self.builder.poll(now)?;
        Some(self.recorded(&portion))
    }

    /// Ends the session, and returns the rest of its media.
    ///
    /// # Errors
    /// The encoder failed.
    pub(super) fn finish(&mut self) -> Result<Vec<Recorded>, EncodeError> {
        self.aac.finish(&mut self.units)?;
        self.cut_units();
        let mut rest = Vec::new();
        while let Some(recorded) = self.poll(SessionTime::MAX) {
            rest.push(recorded);
        }
        rest.extend(self.builder.finish().map(|portion| self.recorded(&portion)));
        Ok(rest)
    }

    fn cut_units(&mut self) {
        for unit in self.units.drain(..) {
            self.builder.push(Frame { time: unit.time, track: Track::Audio, data: unit.data });
        }
    }

    fn recorded(&mut self, portion: &Portion) -> Recorded {
        Recorded { bytes: self.muxer.write(portion), ends: portion.ends }
    }
}
