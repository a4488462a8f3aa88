//! From the format of a track to something that turns its packets into samples.
//!
//! One variant per codec. Every codec answers the same questions: how long is this packet, what are
//! its samples, what stands in for lost time, and how late is what comes out.

use crate::aac::{self, AacDecoder};
use crate::format::Format;
use crate::opus::{OpusDecoder, Toc};
use crate::pcm::PcmDecoder;
use crate::resample;
use crate::suspicion;
use crate::timeline::Length;
use crate::{Error, SAMPLE_RATE};

/// A decoder for the codec of one track; it lives as long as the format does, across fragments.
#[derive(Debug)]
pub enum Decoder {
    /// libopus, at 16 kHz.
    Opus(Box<OpusDecoder>),
    /// AAC-LC at its own rate, and a filter to 16 kHz.
    Aac(Box<AacDecoder>),
    /// Uncompressed, and a filter to 16 kHz.
    Pcm(Box<PcmDecoder>),
}

/// A packet whose length is known.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    data: &'a [u8],
    length: Length,
    latency: u32,
    coded: Coded<'a>,
}

/// What a packet says of itself.
#[derive(Debug, Clone, Copy)]
enum Coded<'a> {
    Opus(Toc),
    Aac(aac::Frame<'a>),
    Pcm,
}

impl Packet<'_> {
    /// How much time it covers.
    pub fn length(&self) -> Length {
        self.length
    }

    /// Its bytes.
    pub(crate) fn data(&self) -> &[u8] {
        self.data
    }

    /// How late its samples will come out, as [`Decoder::latency`] says it of those decoded so far.
    pub fn latency(&self) -> u32 {
        self.latency
    }
}

/// Which samples of the timeline a packet stands for.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// How many, at 16 kHz.
    pub samples: usize,
    /// How far after the first of them the packet begins, in 1/rate of a sample.
    pub fraction: u32,
}

/// How time is made up that no packet covers, in samples, one part after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// By [`Decoder::conceal`].
    pub concealed: usize,
    /// By silence.
    pub silence: usize,
    /// By [`Decoder::recover`].
    pub recovered: usize,
}

impl Decoder {
    /// A decoder for `format`.
    ///
    /// # Errors
    /// [`Error::Decoder`] when the library refuses.
    pub fn new(format: Format) -> Result<Self, Error> {
        Ok(match format {
            Format::Opus(head) => Self::Opus(Box::new(OpusDecoder::new(head.unwrap_or_default())?)),
            Format::Aac(config) => Self::Aac(Box::new(AacDecoder::new(config))),
            Format::Pcm(layout) => Self::Pcm(Box::new(PcmDecoder::new(layout)?)),
        })
    }

    /// How late samples come out after those of the packet they belong to, in samples at 16 kHz.
    /// What libopus holds back is none of it: the track's CodecDelay and pre-skip say that.
    pub fn latency(&self) -> u32 {
        match self {
            Self::Opus(_) => 0,
            Self::Aac(decoder) => decoder.latency(),
            Self::Pcm(decoder) => decoder.latency(),
        }
    }

    /// Takes the first packet off a block, and says what of the block follows it. Opus and AAC have
    /// one packet in a block; ADTS frames can stand in a row, and a long block of uncompressed
    /// samples is taken in pieces, so that no output is long.
    pub fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        match self {
            Self::Opus(_) => (block, &[]),
            Self::Aac(decoder) => decoder.split(block),
            Self::Pcm(decoder) => decoder.split(block),
        }
    }

    /// Reads how long a packet is; `None` when it is none of this codec, or empty. Nothing changes
    /// by it: what is dropped costs no more than this.
    pub fn packet<'a>(&self, data: &'a [u8]) -> Option<Packet<'a>> {
        let (frames, rate, coded) = match self {
            Self::Opus(_) => {
                let toc = Toc::read(data)?;
                (toc.samples(), SAMPLE_RATE, Coded::Opus(toc))
            }
            Self::Aac(decoder) => {
                let frame = decoder.frame(data)?;
                (frame.samples(), frame.rate(), Coded::Aac(frame))
            }
            // A block has at most 64 KiB.
            Self::Pcm(decoder) => (decoder.frames(data) as u32, decoder.rate(), Coded::Pcm),
        };
        let latency = if let Coded::Opus(_) = coded { 0 } else { resample::latency(rate) };
        (frames > 0).then_some(Packet { data, length: Length { frames, rate }, latency, coded })
    }

    /// Appends the packet's samples to `out`, as many as `span` says; `false` when it is damaged or
    /// another codec's: then nothing is appended.
    pub fn decode(&mut self, packet: Packet<'_>, span: Span, out: &mut Vec<i16>) -> bool {
        let Span { samples, fraction } = span;
        let start = out.len();
        let is_whole = match (self, packet.coded) {
            (Self::Opus(decoder), Coded::Opus(toc)) => decoder.decode(packet.data, toc, out),
            (Self::Aac(decoder), Coded::Aac(frame)) => {
                decoder.decode(frame, fraction, samples, out)
            }
            (Self::Pcm(decoder), Coded::Pcm) => {
                decoder.decode(packet.data, fraction, samples, out);
                true
            }
            (_, _) => false,
        };
        if !is_whole {
            out.truncate(start);
        }
        is_whole
    }

    /// Appends the last `samples` of lost time, which `next` tells.
    pub fn recover(&mut self, samples: usize, next: Packet<'_>, out: &mut Vec<i16>) {
        match self {
            Self::Opus(decoder) => decoder.recover(samples, next.data, out),
            // None of the others says a thing twice.
            _ => out.resize(out.len() + samples, 0),
        }
    }

    /// What is left out of the sound and nothing but the packets tells.
    pub fn reduced(&self) -> Option<&'static str> {
        match self {
            Self::Aac(decoder) if decoder.has_hidden_sbr() => Some(aac::CORE_ONLY),
            _ => None,
        }
    }

    /// Why nothing can be decoded so far, where not the packets are to blame.
    pub fn refused(&self) -> Option<&'static str> {
        match self {
            Self::Aac(decoder) if decoder.is_not_described() => Some(aac::NOT_DESCRIBED),
            _ => None,
        }
    }

    /// Why `data`, of which [`Decoder::packet`] or [`Decoder::decode`] made nothing, is not
    /// decoded, and what to send instead: to be said when packet after packet is like that.
    pub fn suspicion(&self, data: &[u8]) -> &'static str {
        suspicion::looks_like(data).unwrap_or_else(|| match self {
            Self::Opus(_) => "packets that libopus refuses: send Opus packets (RFC 6716)",
            Self::Aac(decoder) => decoder.suspicion(data),
            Self::Pcm(_) => "blocks that are shorter than one sample of every channel",
        })
    }

    /// How `samples` that no packet covers are made up, when `next` follows them.
    pub fn lost(&self, samples: usize, next: Option<Packet<'_>>) -> Lost {
        match self {
            Self::Opus(_) => OpusDecoder::lost(
                samples,
                next.and_then(|packet| match packet.coded {
                    Coded::Opus(toc) => Some(toc),
                    _ => None,
                }),
            ),
            _ => {
                // What is held back, or would be had anything been heard: a resumed run fills
                // alike.
                let latency = next.map_or(0, |packet| packet.latency()).max(self.latency());
                let concealed = samples.min(latency as usize);
                Lost { concealed, silence: samples - concealed, recovered: 0 }
            }
        }
    }

    /// Appends the first `samples` of time that no packet covers: what the codec still holds or
    /// makes of what it heard. To be called for none as well, since what follows begins anew.
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        match self {
            Self::Opus(decoder) => decoder.conceal(samples, out),
            Self::Aac(decoder) => decoder.silence(samples, out),
            Self::Pcm(decoder) => decoder.silence(samples, out),
        }
    }
}
