//! Frames, raw or in ADTS: one to four raw data blocks, decoded and resampled one after another.

use symphonia_core::audio::Audio as _;

use super::block::{BlockDecoder, EndFinder};
use super::{AacConfig, adts, element};
use crate::codec::Span;
use crate::convert::Converter;
use crate::timeline::Length;
use crate::{Error, SAMPLE_RATE};

/// Samples per channel in one raw data block.
const BLOCK: u32 = 1024;

/// One frame, raw or in ADTS, and the configuration to decode it.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub(super) config: AacConfig,
    pub(super) payload: adts::Payload<'a>,
}

impl Frame<'_> {
    pub(super) fn length(self) -> Length {
        Length { frames: self.payload.blocks * BLOCK, rate: self.config.rate }
    }
}

/// Decodes frames of one rate.
pub(super) struct FrameDecoder {
    config: AacConfig,
    /// Channels of the last block, according to its first channel element.
    channels: u8,
    /// `None` before the first block, and after one that was damaged or had other channels.
    inner: Option<BlockDecoder>,
    converter: Converter,
}

impl FrameDecoder {
    pub(super) fn new(config: AacConfig) -> Result<Self, Error> {
        let converter = Converter::new(config.rate)?;
        Ok(Self { config, channels: 0, inner: None, converter })
    }

    pub(super) fn config(&self) -> AacConfig {
        self.config
    }

    pub(super) fn rate(&self) -> u32 {
        self.config.rate
    }

    /// Appends the samples of one frame, block by block. Returns `false` if a block is damaged;
    /// silence then replaces it and the blocks after it.
    pub(super) fn decode(&mut self, frame: Frame<'_>, span: Span, out: &mut Vec<i16>) -> bool {
        let adts::Payload { raw, blocks, checksum } = frame.payload;
        let Span { mut samples, mut fraction } = span;
        let rate = frame.config.rate;
        let mut rest = Some(raw);
        for following in (0..blocks).rev() {
            rest = rest.and_then(|rest| self.next(rest, checksum, following == 0));
            self.converter.source().resize(BLOCK as usize, 0.0);
            let ahead = fraction + BLOCK * SAMPLE_RATE;
            let part = if following == 0 { samples } else { samples.min((ahead / rate) as usize) };
            self.converter.block(fraction, part, out);
            (fraction, samples) = (ahead % rate, samples - part);
        }
        rest.is_some()
    }

    /// Appends `samples` for time that no frame covers.
    pub(super) fn silence(&mut self, samples: usize, out: &mut Vec<i16>) {
        if let Some(inner) = &mut self.inner {
            // The next frame does not adjoin the last one, so it must not overlap with it.
            inner.reset();
        }
        self.converter.silence(samples, out);
    }

    /// Decodes the first block of `bytes` and returns the bytes after it and its checksum.
    fn next<'a>(&mut self, bytes: &'a [u8], checksum: usize, is_last: bool) -> Option<&'a [u8]> {
        let len = if is_last { bytes.len().checked_sub(checksum)? } else { self.end(bytes)? };
        let (block, behind) = bytes.split_at(len);
        self.block(block)?;
        behind.get(checksum..)
    }

    /// Returns the length of the first block of `bytes`.
    fn end(&self, bytes: &[u8]) -> Option<usize> {
        let element::Lead { skip, channels } = element::lead(bytes)?;
        let bytes = bytes.get(skip..)?;
        let end = EndFinder::with(self.config.rate, channels, |finder| finder.end(bytes))??;
        Some(skip + end)
    }

    /// Decodes one block. After a damaged block the library keeps wrong state: the elements it
    /// found and the samples to overlap with the next block. So the decoder is dropped, and a new
    /// one is created only for bytes that are proven to be one whole block.
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

/// Creates a decoder for `block` if that is one whole block.
fn proven(block: &[u8], rate: u32, channels: u8) -> Option<BlockDecoder> {
    let is_one = EndFinder::with(rate, channels, |finder| finder.is_one_block(block))?;
    is_one.then(|| BlockDecoder::new(rate, channels)).flatten()
}

/// Appends one or two channels, mixed to one.
fn mix(left: Option<&[f32]>, right: Option<&[f32]>, out: &mut Vec<f32>) {
    match (left, right) {
        (Some(left), Some(right)) => {
            out.extend(left.iter().zip(right).map(|(left, right)| (left + right) / 2.0));
        }
        (Some(one), None) => out.extend_from_slice(one),
        _ => {}
    }
}
