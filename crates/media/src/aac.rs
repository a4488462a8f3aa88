//! AAC-LC, what WebRTC ingestion stores: raw frames with their configuration in CodecPrivate, or ADTS frames.

mod adts;
mod bits;
mod config;
mod element;
mod sbr;

pub use config::AacConfig;

use symphonia_codec_aac::AacDecoder as Symphonia;
use symphonia_core::audio::{Audio as _, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use crate::Error;
use crate::convert::Converter;
use crate::resample;
use sbr::SbrWatch;

/// Samples per channel in one frame.
pub(crate) const FRAME: u32 = 1024;

/// What is said of frames that nothing describes.
pub(crate) const NOT_DESCRIBED: &str =
    "neither CodecPrivate, an Audio element nor ADTS headers say how its frames are coded";

/// What is said of HE-AAC.
pub(crate) const CORE_ONLY: &str = "HE-AAC is decoded at its core rate, without SBR and PS";

/// An AAC decoder that appends 16 kHz mono samples.
pub struct AacDecoder {
    /// Configuration from the track, if it has one; frames in ADTS bring their own.
    track: Option<AacConfig>,
    /// Made by the first frame that is decoded, and anew by one of another configuration.
    active: Option<Active>,
    sbr: SbrWatch,
}

/// One frame, and how to decode it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    config: AacConfig,
    /// Without ADTS header.
    raw: &'a [u8],
}

impl Frame<'_> {
    /// Samples per second and channel.
    pub(crate) fn rate(self) -> u32 {
        self.config.rate
    }
}

struct Active {
    config: AacConfig,
    /// `None` before the first frame, and after one that was damaged.
    inner: Option<Symphonia>,
    converter: Converter,
}

impl Active {
    fn new(config: AacConfig) -> Result<Self, Error> {
        Ok(Self { config, inner: None, converter: Converter::new(config.rate)? })
    }

    /// Decodes one raw frame into the converter's source; `false` when it was damaged and silence
    /// takes its place.
    fn frame(&mut self, frame: &[u8]) -> bool {
        let from = self.converter.source().len();
        let decoded = self.decode(frame).is_some();
        if !decoded {
            // What a damaged frame left in the library stays there: the elements it believed the stream to
            // have, and what the next frame would overlap with. Only a new one forgets.
            self.inner = None;
        }
        self.converter.source().resize(from + FRAME as usize, 0.0);
        decoded
    }

    fn decode(&mut self, frame: &[u8]) -> Option<()> {
        if !element::carries(frame, self.config.channels) {
            return None;
        }
        if self.inner.is_none() {
            self.inner = symphonia(self.config);
        }
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(0), frame);
        match self.inner.as_mut()?.decode_ref(&packet) {
            Ok(GenericAudioBufferRef::F32(samples)) => {
                mix(samples.plane(0), samples.plane(1), self.converter.source());
                Some(())
            }
            _ => None,
        }
    }
}

fn symphonia(config: AacConfig) -> Option<Symphonia> {
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.to_bytes().into());
    Symphonia::try_new(&parameters, &AudioDecoderOptions::default()).ok()
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
    pub fn new(config: Option<AacConfig>) -> Self {
        Self { track: config, active: None, sbr: SbrWatch::default() }
    }

    /// Takes the first frame off `block`: ADTS frames can stand in a row.
    pub(crate) fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        adts::split(block).unwrap_or((block, &[]))
    }

    /// Reads what `data` is; `None` when it is no frame, or an empty one.
    pub(crate) fn frame<'a>(&self, data: &'a [u8]) -> Option<Frame<'a>> {
        let (config, raw) = match adts::Header::read(data) {
            Some(header) => (header.config.ok()?, adts::payload(data, header)),
            None => (self.active.as_ref().map(|active| active.config).or(self.track)?, data),
        };
        (!raw.is_empty()).then_some(Frame { config, raw })
    }

    /// How late what is decoded comes out; it is 0 before anything is known of the stream.
    pub(crate) fn latency(&self) -> u32 {
        let config = self.active.as_ref().map(|active| active.config).or(self.track);
        config.map_or(0, |config| resample::latency(config.rate))
    }

    /// Nothing said yet how frames are coded.
    pub(crate) fn is_not_described(&self) -> bool {
        self.track.is_none() && self.active.is_none()
    }

    /// The frames carry SBR, which is not decoded, and no configuration says so.
    pub(crate) fn has_hidden_sbr(&self) -> bool {
        self.sbr.has_found()
    }

    /// Appends the frame's samples, `len` at 16 kHz, to `out`; `false` when it was damaged.
    pub(crate) fn decode(
        &mut self,
        frame: Frame<'_>,
        fraction: u32,
        len: usize,
        out: &mut Vec<i16>,
    ) -> bool {
        if self.active.as_ref().is_none_or(|active| !active.config.decodes_like(frame.config)) {
            self.active = Active::new(frame.config).ok();
        }
        let Some(active) = &mut self.active else {
            out.resize(out.len() + len, 0);
            return false;
        };
        let whole = active.frame(frame.raw);
        if whole && !frame.config.core_only {
            self.sbr.look(frame.raw);
        }
        active.converter.block(fraction, len, out);
        whole
    }

    /// Appends `len` samples for time that is not covered.
    pub(crate) fn silence(&mut self, len: usize, out: &mut Vec<i16>) {
        match &mut self.active {
            Some(active) => {
                if let Some(inner) = &mut active.inner {
                    // What the next frame would overlap with belongs to another place now.
                    inner.reset();
                }
                active.converter.silence(len, out);
            }
            None => out.resize(out.len() + len, 0),
        }
    }
}

impl std::fmt::Debug for AacDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let config = self.active.as_ref().map(|active| active.config).or(self.track);
        f.debug_struct("AacDecoder").field("config", &config).finish_non_exhaustive()
    }
}
