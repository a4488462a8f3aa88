//! AAC-LC, what WebRTC ingestion stores: raw frames with their configuration in CodecPrivate, or
//! ADTS frames.

mod adts;
mod bits;
mod block;
mod config;
mod element;
mod sbr;

pub use config::AacConfig;

use symphonia_core::audio::Audio as _;

use crate::convert::Converter;
use crate::resample;
use crate::{Error, SAMPLE_RATE};
use block::{BlockDecoder, EndFinder};
use sbr::SbrWatch;

/// Samples per channel in one raw data block.
const BLOCK: u32 = 1024;

/// What is said of frames that nothing describes.
pub(crate) const NOT_DESCRIBED: &str =
    "neither CodecPrivate, an Audio element nor ADTS headers say how its frames are coded";

/// What is said of HE-AAC.
pub(crate) const CORE_ONLY: &str = "HE-AAC is decoded at its core rate, without SBR and PS";

/// What is said of frames that are described and cannot be decoded.
const NOT_DECODED: &str = "no AAC-LC frames of one or two channels: send raw frames with their \
    AudioSpecificConfig in CodecPrivate, or ADTS";

/// An AAC decoder that appends 16 kHz mono samples.
pub struct AacDecoder {
    /// Configuration from the track, if it has one; frames in ADTS bring their own.
    track: Option<AacConfig>,
    /// Made by the first frame that is decoded, and anew by one of another rate.
    active: Option<Active>,
    sbr: SbrWatch,
}

/// One frame, raw or in ADTS, and how to decode it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    config: AacConfig,
    payload: adts::Payload<'a>,
}

impl Frame<'_> {
    /// Samples per second and channel.
    pub(crate) fn rate(self) -> u32 {
        self.config.rate
    }

    /// Samples per channel.
    pub(crate) fn samples(self) -> u32 {
        self.payload.blocks * BLOCK
    }
}

struct Active {
    config: AacConfig,
    /// Channels of the last block, as its first element shows them.
    channels: u8,
    /// `None` before the first block, and after one that was damaged or had other channels.
    inner: Option<BlockDecoder>,
    converter: Converter,
}

impl Active {
    fn new(config: AacConfig) -> Result<Self, Error> {
        let converter = Converter::new(config.rate)?;
        Ok(Self { config, channels: 0, inner: None, converter })
    }

    /// Appends the samples of one frame, `len` at 16 kHz, to `out`, block by block; `false` when it
    /// was damaged and silence takes the place of what is missing.
    fn frame(
        &mut self,
        frame: Frame<'_>,
        mut fraction: u32,
        mut len: usize,
        out: &mut Vec<i16>,
    ) -> bool {
        let adts::Payload { raw, blocks, checksum } = frame.payload;
        let mut rest = Some(raw);
        for following in (0..blocks).rev() {
            rest = rest.and_then(|rest| self.next(rest, checksum, following == 0));
            self.converter.source().resize(BLOCK as usize, 0.0);
            let ahead = fraction + BLOCK * SAMPLE_RATE;
            let part = if following == 0 { len } else { len.min((ahead / frame.rate()) as usize) };
            self.converter.block(fraction, part, out);
            (fraction, len) = (ahead % frame.rate(), len - part);
        }
        rest.is_some()
    }

    /// Decodes the block that `bytes` begin with and says what follows it and its checksum.
    fn next<'a>(&mut self, bytes: &'a [u8], checksum: usize, is_last: bool) -> Option<&'a [u8]> {
        let len = if is_last { bytes.len().checked_sub(checksum)? } else { self.end(bytes)? };
        let (block, behind) = bytes.split_at(len);
        self.block(block)?;
        behind.get(checksum..)
    }

    /// Length of the block that `bytes` begin with.
    fn end(&self, bytes: &[u8]) -> Option<usize> {
        let element::Lead { skip, channels } = element::lead(bytes)?;
        let bytes = bytes.get(skip..)?;
        let end = EndFinder::with(self.config.rate, channels, |finder| finder.end(bytes))??;
        Some(skip + end)
    }

    /// Decodes one block. What a damaged one left in the library stays there: the elements it
    /// believed the stream to have, and what the next block would overlap with. Only a new decoder
    /// forgets, and only a whole block, proven to be one, gets it: bytes that are no AAC never do.
    fn block(&mut self, block: &[u8]) -> Option<()> {
        let used = self.inner.take();
        let element::Lead { skip, channels } = element::lead(block)?;
        let block = block.get(skip..)?;
        let mut inner = match used.filter(|_| self.channels == channels) {
            Some(inner) => inner,
            None => proven(block, self.config.rate, channels)?,
        };
        let samples = inner.decode(block)?;
        mix(samples.plane(0), samples.plane(1), self.converter.source());
        (self.inner, self.channels) = (Some(inner), channels);
        Some(())
    }
}

/// A new decoder for `block`, if that is one.
fn proven(block: &[u8], rate: u32, channels: u8) -> Option<BlockDecoder> {
    let is_one = EndFinder::with(rate, channels, |finder| finder.is_one_block(block))?;
    is_one.then(|| BlockDecoder::new(rate, channels)).flatten()
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
    /// A decoder for tracks that say their configuration, or (`None`) for ADTS frames that bring
    /// it.
    pub fn new(config: Option<AacConfig>) -> Self {
        Self { track: config, active: None, sbr: SbrWatch::default() }
    }

    /// Takes the first frame off `block`: ADTS frames can stand in a row.
    pub(crate) fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        adts::split(block).unwrap_or((block, &[]))
    }

    /// Reads what `data` is; `None` when it is no frame, or an empty one.
    pub(crate) fn frame<'a>(&self, data: &'a [u8]) -> Option<Frame<'a>> {
        let (config, payload) = match adts::Header::read(data) {
            Some(header) => (header.config.ok()?, header.payload(data)),
            None => (self.config()?, adts::Payload::raw(data)),
        };
        (!payload.raw.is_empty()).then_some(Frame { config, payload })
    }

    /// What raw frames are decoded by.
    fn config(&self) -> Option<AacConfig> {
        self.active.as_ref().map(|active| active.config).or(self.track)
    }

    /// What is wrong with `data`, which was not decoded, as far as the codec knows.
    pub(crate) fn suspicion(&self, data: &[u8]) -> &'static str {
        match adts::Header::read(data) {
            Some(adts::Header { config: Err(reason), .. }) => reason,
            None if self.is_not_described() => NOT_DESCRIBED,
            _ => NOT_DECODED,
        }
    }

    /// How late what is decoded comes out; it is 0 before anything is known of the stream.
    pub(crate) fn latency(&self) -> u32 {
        self.config().map_or(0, |config| resample::latency(config.rate))
    }

    /// Nothing said yet how frames are coded.
    pub(crate) fn is_not_described(&self) -> bool {
        self.config().is_none()
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
        if self.active.as_ref().is_none_or(|active| active.config.rate != frame.rate()) {
            self.active = Active::new(frame.config).ok();
        }
        let Some(active) = &mut self.active else {
            out.resize(out.len() + len, 0);
            return false;
        };
        let whole = active.frame(frame, fraction, len, out);
        if whole && !frame.config.core_only {
            self.sbr.look(frame.payload.raw);
        }
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
        f.debug_struct("AacDecoder").field("config", &self.config()).finish_non_exhaustive()
    }
}
