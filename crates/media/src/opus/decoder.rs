//! libopus, set to 16 kHz mono: stereo is mixed down and nothing is resampled here.

use audiopus::coder::Decoder;
use audiopus::packet::Packet;
use audiopus::{Channels, MutSignals, SampleRate};

use super::{OpusHead, Toc};
use crate::Error;
use crate::decoder::Lost;

/// Shortest frame, in samples: PLC and FEC come in multiples of 2.5 ms.
const UNIT: usize = 40;

/// Longest time that is concealed before silence: 120 ms, in samples.
const MAX_CONCEALED: usize = 1920;

/// An Opus decoder that appends 16 kHz mono samples.
#[derive(Debug)]
pub struct OpusDecoder {
    inner: Decoder,
}

impl OpusDecoder {
    /// A decoder with the header's gain.
    ///
    /// # Errors
    /// [`Error::Decoder`] when libopus cannot allocate its state.
    pub fn new(head: OpusHead) -> Result<Self, Error> {
        let refused = |error: audiopus::Error| Error::Decoder { reason: error.to_string() };
        let inner = Decoder::new(SampleRate::Hz16000, Channels::Mono).map_err(refused)?;
        inner.set_gain(i32::from(head.gain)).map_err(refused)?;
        Ok(Self { inner })
    }

    /// Decodes `packet` onto the end of `out`: exactly as many samples as its [`Toc`] says. Returns
    /// `false` when libopus refuses it; nothing is appended then.
    pub fn decode(&mut self, packet: &[u8], toc: Toc, out: &mut Vec<i16>) -> bool {
        let expected = toc.samples() as usize;
        let start = out.len();
        let decoded = self.call(Some(packet), false, expected, out);
        if decoded != Some(expected) {
            out.truncate(start);
            return false;
        }
        true
    }

    /// How `samples` of lost time are made up: the end from the in-band FEC of the packet that
    /// follows, where it can carry some, up to 120 ms with that from PLC, silence for the rest.
    pub fn lost(samples: usize, next: Option<Toc>) -> Lost {
        let frame = match next {
            Some(toc) if toc.may_carry_fec => toc.frame_samples as usize,
            _ => 0,
        };
        let recovered = if samples < frame { 0 } else { frame };
        let concealed = (samples - recovered).min(MAX_CONCEALED - recovered);
        Lost { concealed, silence: samples - recovered - concealed, recovered }
    }

    /// Appends `samples` that the in-band FEC of `packet` says of the time right before it; where
    /// it says nothing, silence.
    pub fn recover(&mut self, samples: usize, packet: &[u8], out: &mut Vec<i16>) {
        let start = out.len();
        if samples > 0 && self.call(Some(packet), true, samples, out) != Some(samples) {
            out.truncate(start);
        }
        out.resize(start + samples, 0);
    }

    /// Appends `samples` for lost time by PLC, which fades out: 120 ms at most are worth it.
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        let end = out.len() + samples;
        let concealed = samples.next_multiple_of(UNIT);
        if concealed > 0 {
            self.call(None, false, concealed, out);
        }
        out.resize(end, 0);
    }

    /// One call of libopus into `out`'s end; what it did not write is taken off again.
    fn call(
        &mut self,
        packet: Option<&[u8]>,
        fec: bool,
        samples: usize,
        out: &mut Vec<i16>,
    ) -> Option<usize> {
        let start = out.len();
        // libopus takes no input to mean loss, so an empty packet must not reach it as one.
        let input = packet.map(Packet::try_from).transpose().ok()?;
        out.resize(start + samples, 0);
        let signals = MutSignals::try_from(&mut out[start..]).ok();
        let written = signals.and_then(|signals| self.inner.decode(input, signals, fec).ok());
        out.truncate(start + written.unwrap_or(0).min(samples));
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(count: usize, fec: bool) -> Vec<Vec<u8>> {
        let settings =
            testkit::opus::Settings { fec, bitrate: 24_000, ..testkit::opus::Settings::default() };
        testkit::opus::encode(&settings, &testkit::pcm::speech_like(1, count * 960))
    }

    fn decode_all(packets: &[Vec<u8>]) -> Vec<i16> {
        let mut decoder = OpusDecoder::new(OpusHead::default()).unwrap();
        let mut out = Vec::new();
        for packet in packets {
            assert!(decoder.decode(packet, Toc::read(packet).unwrap(), &mut out));
        }
        out
    }

    /// Makes up lost time but for its silence, which is returned.
    fn fill(
        decoder: &mut OpusDecoder,
        samples: usize,
        packet: &[u8],
        toc: Toc,
        out: &mut Vec<i16>,
    ) -> usize {
        let lost = OpusDecoder::lost(samples, Some(toc));
        decoder.conceal(lost.concealed, out);
        decoder.recover(lost.recovered, packet, out);
        lost.silence
    }

    #[test]
    fn a_packet_gives_the_samples_its_toc_says() {
        let packets = packets(10, false);
        assert_eq!(decode_all(&packets).len(), 10 * 320);
    }

    #[test]
    fn gain_is_applied_by_the_decoder() {
        let packets = packets(20, false);
        let plain = decode_all(&packets);
        let mut decoder = OpusDecoder::new(OpusHead { pre_skip: 0, gain: -6 * 256 }).unwrap();
        let mut quiet = Vec::new();
        for packet in &packets {
            decoder.decode(packet, Toc::read(packet).unwrap(), &mut quiet);
        }
        let level = |pcm: &[i16]| pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>().sqrt();
        let decibels = 20.0 * (level(&quiet) / level(&plain)).log10();
        assert!((decibels + 6.0).abs() < 0.1, "{decibels}");
    }

    #[test]
    fn lost_time_is_filled_to_the_sample() {
        let packets = packets(4, false);
        for lost in [1, 39, 40, 161, 320, 1920, 1921, 32_000] {
            let mut decoder = OpusDecoder::new(OpusHead::default()).unwrap();
            let mut out = Vec::new();
            let toc = Toc::read(&packets[0]).unwrap();
            decoder.decode(&packets[0], toc, &mut out);
            let silent = fill(&mut decoder, lost, &packets[2], toc, &mut out);
            assert_eq!(silent, lost.saturating_sub(MAX_CONCEALED));
            out.resize(out.len() + silent, 0);
            decoder.decode(&packets[2], toc, &mut out);
            assert_eq!(out.len(), 320 + lost + 320, "{lost}");
        }
    }

    #[test]
    fn in_band_fec_brings_a_lost_frame_back() {
        let packets = packets(60, true);
        let whole = decode_all(&packets);
        let lose = |fec: bool| {
            let mut decoder = OpusDecoder::new(OpusHead::default()).unwrap();
            let mut out = Vec::new();
            for (index, packet) in packets.iter().enumerate() {
                let toc = Toc::read(packet).unwrap();
                if index % 8 == 7 {
                    continue;
                }
                if index % 8 == 0 && index > 0 {
                    if fec {
                        fill(&mut decoder, 320, packet, toc, &mut out);
                    } else {
                        decoder.conceal(320, &mut out);
                    }
                }
                decoder.decode(packet, toc, &mut out);
            }
            testkit::snr::decibels(&whole[..out.len()], &out)
        };
        let (with, without) = (lose(true), lose(false));
        assert!(with > without + 3.0, "FEC {with:.1} dB, PLC {without:.1} dB");
    }

    #[test]
    fn a_packet_that_libopus_refuses_gives_nothing() {
        let mut decoder = OpusDecoder::new(OpusHead::default()).unwrap();
        let mut out = Vec::new();
        // Code 2: the length of the first of two frames points beyond the packet.
        let broken = [0x0A, 0xFB, 0xFF, 0x00];
        let toc = Toc::read(&broken).unwrap();
        assert!(!decoder.decode(&broken, toc, &mut out));
        assert!(out.is_empty());
    }
}
