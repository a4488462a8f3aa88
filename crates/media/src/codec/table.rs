//! The table of codecs, and the dispatch that is generated from it.

use super::{Codec, ConcealmentPlan, Span, diagnosis};
use crate::mkv::Track;
use crate::timeline::Length;
use crate::{Error, resample};

/// Generates [`Format`], [`Decoder`] and [`PacketHeader`], each with one variant per row.
macro_rules! codecs {
    ($($(#[$doc:meta])* $codec:ident($decoder:ty), rank $rank:literal;)+) => {
        /// The codec of a track and its parameters, detected from the track's description. Two
        /// tracks of equal format can share a decoder.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Format {
            $($(#[$doc])* $codec(<$decoder as Codec>::Parameters),)+
        }

        impl Format {
            /// Detects the format of `track`; `mime_type` is the value of the stream's MimeType
            /// tag, if it has one.
            ///
            /// # Errors
            /// [`Error::UnsupportedCodec`] with the reason why the track cannot be decoded.
            pub fn of(track: &Track, mime_type: Option<&str>) -> Result<Self, Error> {
                let unsupported = |reason| {
                    Error::UnsupportedCodec { codec_id: track.codec_id.clone(), reason }
                };
                if track.encoded {
                    return Err(unsupported(ENCODED));
                }
                $(if let Some(parameters) = <$decoder>::parameters(track, mime_type) {
                    return parameters.map(Self::$codec).map_err(unsupported);
                })+
                Err(unsupported("no decoder for this CodecID"))
            }

            /// Returns the preference among the tracks of a stream: the lowest is decoded.
            pub(crate) fn rank(self) -> u8 {
                match self { $(Self::$codec(_) => $rank,)+ }
            }

            /// Returns the rate at which pre-skip and CodecDelay are counted, in Hz.
            pub(crate) fn rate(self) -> u32 {
                match self { $(Self::$codec(parameters) => <$decoder>::rate(parameters),)+ }
            }

            /// Returns the samples at [`Format::rate`] to drop at the start of the session, if the
            /// track states them apart from CodecDelay.
            pub(crate) fn pre_skip(self) -> Option<u32> {
                match self { $(Self::$codec(parameters) => <$decoder>::pre_skip(parameters),)+ }
            }

            /// Returns why only a part of the audio is decoded, if the track's description shows
            /// it.
            pub(crate) fn partly_decoded(self) -> Option<&'static str> {
                match self {
                    $(Self::$codec(parameters) => <$decoder>::partly_decoded(parameters),)+
                }
            }

            /// Returns the length of the longest block of such a track, in bytes.
            pub(crate) fn max_block(self) -> u64 {
                match self { $(Self::$codec(_) => <$decoder>::MAX_BLOCK,)+ }
            }
        }

        /// The header of a packet.
        #[derive(Debug, Clone, Copy)]
        enum PacketHeader<'a> {
            $($codec(<$decoder as Codec>::Header<'a>),)+
        }

        /// A decoder for the codec of one track. It is kept across fragments as long as the format
        /// stays the same.
        #[derive(Debug)]
        pub enum Decoder {
            $($(#[$doc])* $codec(Box<$decoder>),)+
        }

        impl Decoder {
            /// Creates a decoder for `format`.
            ///
            /// # Errors
            /// [`Error::Decoder`] when the codec's library fails.
            pub fn new(format: Format) -> Result<Self, Error> {
                Ok(match format {
                    $(Format::$codec(parameters) => {
                        Self::$codec(Box::new(<$decoder>::with_parameters(parameters)?))
                    })+
                })
            }

            /// Returns the delay of the output relative to the decoded packets, in samples at 16
            /// kHz. Delay that the track states as CodecDelay or pre-skip does not count.
            pub fn latency(&self) -> u32 {
                match self { $(Self::$codec(decoder) => decoder.latency(),)+ }
            }

            /// Splits a block into its first packet and the rest. A block of Opus is one packet;
            /// one of AAC may contain several ADTS frames; a long one of PCM is divided, so that
            /// the output of a packet is short.
            pub fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
                match self { $(Self::$codec(decoder) => decoder.split(block),)+ }
            }

            /// Parses the header of a packet without decoding it. Returns `None` if `data` is empty
            /// or not a packet of this codec.
            pub fn packet<'a>(&self, data: &'a [u8]) -> Option<Packet<'a>> {
                let (length, header) = match self {
                    $(Self::$codec(decoder) => {
                        let (length, header) = decoder.header(data)?;
                        (length, PacketHeader::$codec(header))
                    })+
                };
                let latency = resample::latency(length.rate);
                (length.frames > 0).then_some(Packet { data, length, latency, header })
            }

            /// Appends the packet's samples to `out`, as many as in `span`. Returns `false`, and
            /// appends nothing, if the packet is damaged or of another codec.
            pub fn decode(&mut self, packet: Packet<'_>, span: Span, out: &mut Vec<i16>) -> bool {
                let start = out.len();
                let decoded = match (self, packet.header) {
                    $((Self::$codec(decoder), PacketHeader::$codec(header)) => {
                        decoder.decode(packet.data, header, span, out)
                    })+
                    _ => false,
                };
                if !decoded {
                    out.truncate(start);
                }
                decoded
            }

            /// Divides `samples` of lost time between the methods of concealment; `next` is the
            /// packet that follows.
            pub fn plan_concealment(
                &self,
                samples: usize,
                next: Option<Packet<'_>>,
            ) -> ConcealmentPlan {
                // A decoder that is new in a resumed run has no latency yet: the packet's latency
                // makes both runs fill alike.
                let latency = next.map_or(0, |packet| packet.latency).max(self.latency());
                match self {
                    $(Self::$codec(_) => {
                        let next = next.and_then(|packet| match packet.header {
                            PacketHeader::$codec(header) => Some(header),
                            _ => None,
                        });
                        <$decoder>::plan_concealment(samples, latency, next)
                    })+
                }
            }

            /// Appends `samples` for the start of lost time: delayed output first, then
            /// concealment. Must be called for 0 samples too.
            pub fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
                match self { $(Self::$codec(decoder) => decoder.conceal(samples, out),)+ }
            }

            /// Forgets the packets before lost time that concealment does not cover to its end.
            pub fn reset(&mut self) {
                match self { $(Self::$codec(decoder) => decoder.reset(),)+ }
            }

            /// Appends the last `samples` of lost time, from redundancy in the packet `next`.
            pub fn recover(&mut self, samples: usize, next: Packet<'_>, out: &mut Vec<i16>) {
                match self {
                    $(Self::$codec(decoder) => decoder.recover(samples, next.data, out),)+
                }
            }

            /// Returns why only a part of the audio is decoded, if only the packets show it.
            pub fn found_partly_decoded(&self) -> Option<&'static str> {
                match self { $(Self::$codec(decoder) => decoder.found_partly_decoded(),)+ }
            }

            /// Returns why no packet can be decoded yet, if the reason is missing parameters.
            pub fn missing_parameters(&self) -> Option<&'static str> {
                match self { $(Self::$codec(decoder) => decoder.missing_parameters(),)+ }
            }

            /// Returns the probable reason why `data`, which [`Decoder::packet`] or
            /// [`Decoder::decode`] rejected, cannot be decoded, and the format to send instead.
            /// One rejected packet is damage; the reason is reported when many in a row are.
            pub fn diagnose(&self, data: &[u8]) -> &'static str {
                diagnosis::known_framing(data).unwrap_or_else(|| match self {
                    $(Self::$codec(decoder) => decoder.diagnose(data),)+
                })
            }
        }
    };
}

// Detection tries the rows in this order: PCM precedes AAC, because it claims the tracks that
// Amazon Connect labels A_AAC. Of several tracks in a stream the one with the lowest rank is
// decoded.
codecs! {
    /// Opus: libopus decodes to 16 kHz. OpusHead, if present, adds gain and pre-skip.
    Opus(super::opus::OpusDecoder), rank 0;
    /// Uncompressed audio or G.711, resampled to 16 kHz.
    Pcm(super::pcm::PcmDecoder), rank 2;
    /// AAC-LC, resampled to 16 kHz. Without a configuration, ADTS headers must contain it.
    Aac(super::aac::AacDecoder), rank 1;
}

/// Reason for a track with ContentEncodings.
const ENCODED: &str = "the track's frames are compressed or encrypted (ContentEncodings)";

/// A packet whose header was parsed.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    data: &'a [u8],
    length: Length,
    latency: u32,
    header: PacketHeader<'a>,
}

impl Packet<'_> {
    /// Returns the time that the packet covers.
    pub fn length(&self) -> Length {
        self.length
    }

    /// Returns the bytes of the packet.
    pub(crate) fn data(&self) -> &[u8] {
        self.data
    }

    /// Returns the output delay of a decoder at the packet's rate, in samples at 16 kHz.
    pub fn latency(&self) -> u32 {
        self.latency
    }
}
