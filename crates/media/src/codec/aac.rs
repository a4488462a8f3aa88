//! AAC-LC, as WebRTC ingestion stores it: raw frames with their configuration in CodecPrivate, or
//! ADTS frames.

mod adts;
mod bits;
mod block;
mod config;
mod element;
mod frame;
mod sbr;

pub use config::AacConfig;
pub(super) use config::is_aac;
pub use frame::Frame;

use super::{Codec, Span};
use crate::mkv::{Track, limits};
use crate::timeline::Length;
use crate::{Error, resample};
use frame::FrameDecoder;
use sbr::SbrDetector;

/// Reason for frames whose configuration is not known.
const NOT_DESCRIBED: &str =
    "its frames are not described by CodecPrivate, an Audio element or ADTS headers";

/// Reason for HE-AAC.
const CORE_ONLY: &str = "HE-AAC is decoded at its core rate, without SBR and PS";

/// Reason for frames whose configuration is known and that cannot be decoded.
const NOT_DECODED: &str = "no AAC-LC frames of one or two channels: send raw frames with their \
    AudioSpecificConfig in CodecPrivate, or ADTS";

/// An AAC decoder with 16 kHz mono output.
pub struct AacDecoder {
    /// Configuration of the track, if it has one; ADTS frames contain their own.
    track: Option<AacConfig>,
    /// Created by the first frame that is decoded; replaced when the rate changes.
    active: Option<FrameDecoder>,
    sbr: SbrDetector,
}

impl Codec for AacDecoder {
    /// `None`: the track has no configuration, so only ADTS frames can be decoded.
    type Parameters = Option<AacConfig>;
    type Header<'a> = Frame<'a>;

    const MAX_BLOCK: u64 = limits::MAX_AAC_BLOCK;

    fn parameters(
        track: &Track,
        _mime_type: Option<&str>,
    ) -> Option<Result<Self::Parameters, &'static str>> {
        is_aac(&track.codec_id).then(|| AacConfig::of_track(track))
    }

    fn rate(config: Self::Parameters) -> u32 {
        // The rate of ADTS frames is not known before the first of them.
        config.map_or(48_000, |config| config.rate)
    }

    fn partly_decoded(config: Self::Parameters) -> Option<&'static str> {
        config.filter(|config| config.core_only).map(|_| CORE_ONLY)
    }

    fn with_parameters(config: Self::Parameters) -> Result<Self, Error> {
        Ok(Self { track: config, active: None, sbr: SbrDetector::default() })
    }

    /// 0 as long as the configuration is not known.
    fn latency(&self) -> u32 {
        self.config().map_or(0, |config| resample::latency(config.rate))
    }

    fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        adts::split(block).unwrap_or((block, &[]))
    }

    fn header<'a>(&self, data: &'a [u8]) -> Option<(Length, Frame<'a>)> {
        let (config, payload) = match adts::AdtsHeader::read(data) {
            Some(header) => (header.config.ok()?, header.payload(data)),
            None => (self.config()?, adts::Payload::raw(data)),
        };
        let frame = Frame { config, payload };
        (!payload.raw.is_empty()).then_some((frame.length(), frame))
    }

    fn decode(&mut self, _data: &[u8], frame: Frame<'_>, span: Span, out: &mut Vec<i16>) -> bool {
        if self.active.as_ref().is_none_or(|active| active.rate() != frame.config.rate) {
            self.active = FrameDecoder::new(frame.config).ok();
        }
        let Some(active) = &mut self.active else { return false };
        let decoded = active.decode(frame, span, out);
        if decoded && !frame.config.core_only {
            self.sbr.inspect(frame.payload.raw);
        }
        decoded
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        match &mut self.active {
            Some(active) => active.silence(samples, out),
            None => out.resize(out.len() + samples, 0),
        }
    }

    /// SBR that no configuration announces.
    fn found_partly_decoded(&self) -> Option<&'static str> {
        self.sbr.has_found().then_some(CORE_ONLY)
    }

    fn missing_parameters(&self) -> Option<&'static str> {
        self.config().is_none().then_some(NOT_DESCRIBED)
    }

    fn diagnose(&self, data: &[u8]) -> &'static str {
        match adts::AdtsHeader::read(data) {
            Some(adts::AdtsHeader { config: Err(reason), .. }) => reason,
            None => self.missing_parameters().unwrap_or(NOT_DECODED),
            Some(_) => NOT_DECODED,
        }
    }
}

impl AacDecoder {
    /// Returns the configuration of raw frames.
    fn config(&self) -> Option<AacConfig> {
        self.active.as_ref().map(FrameDecoder::config).or(self.track)
    }
}

impl std::fmt::Debug for AacDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AacDecoder").field("config", &self.config()).finish_non_exhaustive()
    }
}
