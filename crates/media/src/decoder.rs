//! From a track's description to something that turns its packets into samples.
//!
//! One variant per codec. Every codec answers the same three questions: how long is this packet, what are
//! its samples, and what stands in for lost time; AAC and PCM will be further variants.

use crate::Error;
use crate::mkv::Track;
use crate::opus::{OpusDecoder, OpusHead, Toc};

/// A decoder for the codec of one track; it lives as long as the codec does, across fragments.
#[derive(Debug)]
pub enum Decoder {
    /// `A_OPUS`.
    Opus {
        /// libopus.
        decoder: Box<OpusDecoder>,
        /// OpusHead, if the track had one.
        head: Option<OpusHead>,
    },
}

/// A packet whose length in samples is known.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    data: &'a [u8],
    toc: Toc,
}

impl Packet<'_> {
    /// Its length at 16 kHz, in samples.
    pub fn samples(&self) -> u32 {
        self.toc.samples()
    }
}

impl Decoder {
    /// Whether `codec_id` names a codec that can be decoded.
    pub fn supports(codec_id: &str) -> bool {
        codec_id == "A_OPUS"
    }

    /// A decoder for `track`.
    ///
    /// # Errors
    /// [`Error::UnsupportedCodec`] for what is not decoded, [`Error::Decoder`] when the library refuses.
    pub fn new(track: &Track) -> Result<Self, Error> {
        let refuse =
            |reason| Err(Error::UnsupportedCodec { codec_id: track.codec_id.clone(), reason });
        if track.encoded {
            return refuse("the track's frames are compressed or encrypted (ContentEncodings)");
        }
        if !Self::supports(&track.codec_id) {
            return refuse("no decoder for this CodecID");
        }
        let head = OpusHead::read(&track.codec_private)?;
        let decoder = Box::new(OpusDecoder::new(head.unwrap_or_default())?);
        Ok(Self::Opus { decoder, head })
    }

    /// Samples at 48 kHz to drop at the true start, if the codec's own header says.
    pub fn pre_skip(&self) -> Option<u16> {
        match self {
            Self::Opus { head, .. } => head.map(|head| head.pre_skip),
        }
    }

    /// Reads how long a packet is; `None` when it is none of this codec.
    pub fn packet<'a>(&self, data: &'a [u8]) -> Option<Packet<'a>> {
        match self {
            Self::Opus { .. } => Toc::read(data).map(|toc| Packet { data, toc }),
        }
    }

    /// Appends the packet's samples to `out`; `false` when it was damaged and is concealed.
    pub fn decode(&mut self, packet: Packet<'_>, out: &mut Vec<i16>) -> bool {
        match self {
            Self::Opus { decoder, .. } => decoder.decode(packet.data, packet.toc, out),
        }
    }

    /// Appends `samples` for time that was lost right before `packet`.
    pub fn fill(&mut self, samples: usize, packet: Packet<'_>, out: &mut Vec<i16>) {
        match self {
            Self::Opus { decoder, .. } => decoder.fill(samples, packet.data, packet.toc, out),
        }
    }
}
