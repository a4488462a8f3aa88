//! AAC-LC, what WebRTC ingestion stores: raw frames with their configuration in CodecPrivate, or ADTS frames.

mod adts;
mod config;

pub use config::AacConfig;

use symphonia_codec_aac::AacDecoder as Symphonia;
use symphonia_core::audio::{Audio as _, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use crate::Error;
use crate::convert::Converter;

/// Samples per channel in one frame.
pub(crate) const FRAME: u32 = 1024;

/// An AAC decoder that appends 16 kHz mono samples.
pub struct AacDecoder {
    /// Configuration from the track, if it has one; frames in ADTS bring their own.
    active: Option<Active>,
}

struct Active {
    config: AacConfig,
    inner: Symphonia,
    converter: Converter,
}

impl Active {
    fn new(config: AacConfig) -> Result<Self, Error> {
        let refused =
            |error: symphonia_core::errors::Error| Error::Decoder { reason: error.to_string() };
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.to_bytes().into());
        let inner =
            Symphonia::try_new(&parameters, &AudioDecoderOptions::default()).map_err(refused)?;
        Ok(Self { config, inner, converter: Converter::new(config.rate)? })
    }

    /// Decodes one raw frame into the converter's source; `false` when it was damaged and silence
    /// takes its place.
    fn frame(&mut self, frame: &[u8]) -> bool {
        let from = self.converter.source().len();
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(0), frame);
        let decoded = match self.inner.decode_ref(&packet) {
            Ok(GenericAudioBufferRef::F32(samples)) => {
                mix(samples.plane(0), samples.plane(1), self.converter.source());
                true
            }
            _ => false,
        };
        if !decoded {
            // What the next frame would overlap with belongs to another place now.
            self.inner.reset();
        }
        self.converter.source().resize(from + FRAME as usize, 0.0);
        decoded
    }
}

/// Appends one or two channels as one.
fn mix(left: Option<&[f32]>, right: Option<&[f32]>, out: &mut Vec<f32>) {
    match (left, right) {
        (Some(left), Some(right)) => {
            out.extend(left.iter().zip(right).map(|(left, right)| (left + right) / 2.0));
        }
        (Some(one), None) => out.extend_from_slice(one),
        _ => {}
    }
}

impl AacDecoder {
    /// A decoder for tracks that say their configuration, or (`None`) for ADTS frames that bring it.
    ///
    /// # Errors
    /// [`Error::Decoder`] when the library refuses the configuration.
    pub fn new(config: Option<AacConfig>) -> Result<Self, Error> {
        Ok(Self { active: config.map(Active::new).transpose()? })
    }

    /// Samples per second and channel of what [`AacDecoder::frames`] looked at last.
    pub fn rate(&self) -> u32 {
        self.active.as_ref().map_or(crate::SAMPLE_RATE, |active| active.config.rate)
    }

    /// How many frames a block holds; `None` when it is none of this codec. An ADTS frame of another
    /// configuration makes the decoder anew.
    pub(crate) fn frames(&mut self, block: &[u8]) -> Option<u32> {
        let Some(header) = adts::Header::read(block) else {
            let raw = self.active.is_some() && !block.is_empty();
            return raw.then_some(1);
        };
        let config = header.config.ok()?;
        if self.active.as_ref().is_none_or(|active| !active.config.decodes_like(config)) {
            self.active = Some(Active::new(config).ok()?);
        }
        // A block has at most 64 KiB and a frame at least 7 bytes.
        Some(adts::frames(block).count() as u32)
    }

    pub(crate) fn latency(&self) -> u32 {
        self.active.as_ref().map_or(0, |active| active.converter.latency())
    }

    /// Appends the block's samples, `len` at 16 kHz, to `out`; `false` when a frame was damaged.
    pub(crate) fn decode(
        &mut self,
        block: &[u8],
        fraction: u32,
        len: usize,
        out: &mut Vec<i16>,
    ) -> bool {
        let Some(active) = &mut self.active else { return false };
        let mut whole = true;
        if adts::Header::read(block).is_some() {
            for frame in adts::frames(block) {
                whole &= active.frame(frame);
            }
        } else {
            whole = active.frame(block);
        }
        active.converter.block(fraction, len, out);
        whole
    }

    /// Appends `len` samples for time that is not covered.
    pub(crate) fn silence(&mut self, len: usize, out: &mut Vec<i16>) {
        match &mut self.active {
            Some(active) => {
                active.inner.reset();
                active.converter.silence(len, out);
            }
            None => out.resize(out.len() + len, 0),
        }
    }
}

impl std::fmt::Debug for AacDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let config = self.active.as_ref().map(|active| active.config);
        f.debug_struct("AacDecoder").field("config", &config).finish_non_exhaustive()
    }
}
