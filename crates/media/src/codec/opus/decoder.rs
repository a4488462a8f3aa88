//! libopus, set to 16 kHz mono: it mixes stereo down and needs no resampling.

use audiopus::coder::{Decoder, GenericCtl};
use audiopus::packet::Packet;
use audiopus::{Channels, MutSignals, SampleRate};

use super::{OpusHead, Toc};
use crate::codec::{Codec, ConcealmentPlan, Span};
use crate::mkv::Track;
use crate::timeline::Length;
use crate::{Error, SAMPLE_RATE};

/// Shortest frame, in samples: PLC and FEC work in multiples of 2.5 ms.
const UNIT: usize = 40;

/// Longest time that is concealed before silence: 120 ms, in samples.
const MAX_CONCEALED: usize = 1920;

/// An Opus decoder with 16 kHz mono output.
#[derive(Debug)]
pub struct OpusDecoder {
    inner: Decoder,
}

impl Codec for OpusDecoder {
    /// `None`: the track has no OpusHead.
    type Parameters = Option<OpusHead>;
    type Header<'a> = Toc;

    fn parameters(
        track: &Track,
        _mime_type: Option<&str>,
    ) -> Option<Result<Self::Parameters, &'static str>> {
        (track.codec_id == "A_OPUS").then(|| OpusHead::read(&track.codec_private))
    }

    fn rate(_parameters: Self::Parameters) -> u32 {
        48_000
    }

    fn pre_skip(parameters: Self::Parameters) -> Option<u32> {
        parameters.map(|head| head.pre_skip.into())
    }

    fn with_parameters(parameters: Self::Parameters) -> Result<Self, Error> {
        let failed = |error: audiopus::Error| Error::Decoder { reason: error.to_string() };
        let inner = Decoder::new(SampleRate::Hz16000, Channels::Mono).map_err(failed)?;
        inner.set_gain(i32::from(parameters.unwrap_or_default().gain)).map_err(failed)?;
        Ok(Self { inner })
    }

    fn header(&self, data: &[u8]) -> Option<(Length, Toc)> {
        let toc = Toc::read(data)?;
        Some((Length { frames: toc.samples(), rate: SAMPLE_RATE }, toc))
    }

    fn decode(&mut self, data: &[u8], toc: Toc, _span: Span, out: &mut Vec<i16>) -> bool {
        let expected = toc.samples() as usize;
        self.call(Some(data), false, expected, out) == Some(expected)
    }

    /// The end comes from the in-band FEC of the next packet, if it can carry any; the time before
    /// it from PLC, up to 120 ms together; the rest is silence.
    fn plan_concealment(samples: usize, _latency: u32, next: Option<Toc>) -> ConcealmentPlan {
        let frame = match next {
            Some(toc) if toc.may_carry_fec => toc.frame_samples as usize,
            _ => 0,
        };
        let recovered = if samples < frame { 0 } else { frame };
        let concealed = (samples - recovered).min(MAX_CONCEALED - recovered);
        ConcealmentPlan { concealed, silence: samples - recovered - concealed, recovered }
    }

    /// PLC, which fades out: only the first 120 ms are useful.
    fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        let end = out.len() + samples;
        let concealed = samples.next_multiple_of(UNIT);
        if concealed > 0 {
            self.call(None, false, concealed, out);
        }
        out.resize(end, 0);
    }

    fn reset(&mut self) {
        // The request has no argument that libopus could reject.
        let _ = self.inner.reset_state();
    }

    /// The in-band FEC of `next`; silence if it has none.
    fn recover(&mut self, samples: usize, next: &[u8], out: &mut Vec<i16>) {
        let start = out.len();
        if samples > 0 && self.call(Some(next), true, samples, out) != Some(samples) {
            out.truncate(start);
        }
        out.resize(start + samples, 0);
    }

    fn diagnose(&self, _data: &[u8]) -> &'static str {
        "packets that libopus rejects: send Opus packets (RFC 6716)"
    }
}

impl OpusDecoder {
    /// Calls libopus once, with output at the end of `out`; unused space is removed. Returns the
    /// number of samples written, `None` on failure.
    fn call(
        &mut self,
        packet: Option<&[u8]>,
        fec: bool,
        samples: usize,
        out: &mut Vec<i16>,
    ) -> Option<usize> {
        let start = out.len();
        // libopus treats missing input as loss; `Packet` rejects an empty packet before that.
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

    fn decode(decoder: &mut OpusDecoder, packet: &[u8], out: &mut Vec<i16>) -> bool {
        let (length, toc) = decoder.header(packet).unwrap();
        let span = Span { samples: length.frames as usize, fraction: 0 };
        decoder.decode(packet, toc, span, out)
    }

    fn decode_all(packets: &[Vec<u8>]) -> Vec<i16> {
        let mut decoder = OpusDecoder::with_parameters(None).unwrap();
        let mut out = Vec::new();
        for packet in packets {
            assert!(decode(&mut decoder, packet, &mut out));
        }
        out
    }

    /// Fills lost time except for the silence, and returns the samples of silence.
    fn fill(
        decoder: &mut OpusDecoder,
        samples: usize,
        packet: &[u8],
        toc: Toc,
        out: &mut Vec<i16>,
    ) -> usize {
        let plan = OpusDecoder::plan_concealment(samples, 0, Some(toc));
        decoder.conceal(plan.concealed, out);
        decoder.recover(plan.recovered, packet, out);
        plan.silence
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
        let head = OpusHead { pre_skip: 0, gain: -6 * 256 };
        let mut decoder = OpusDecoder::with_parameters(Some(head)).unwrap();
        let mut quiet = Vec::new();
        for packet in &packets {
            decode(&mut decoder, packet, &mut quiet);
        }
        let level = |pcm: &[i16]| pcm.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>().sqrt();
        let decibels = 20.0 * (level(&quiet) / level(&plain)).log10();
        assert!((decibels + 6.0).abs() < 0.1, "{decibels}");
    }

    #[test]
    fn lost_time_is_filled_to_the_sample() {
        let packets = packets(4, false);
        for lost in [1, 39, 40, 161, 320, 1920, 1921, 32_000] {
            let mut decoder = OpusDecoder::with_parameters(None).unwrap();
            let mut out = Vec::new();
            let toc = Toc::read(&packets[0]).unwrap();
            decode(&mut decoder, &packets[0], &mut out);
            let silent = fill(&mut decoder, lost, &packets[2], toc, &mut out);
            assert_eq!(silent, lost.saturating_sub(MAX_CONCEALED));
            out.resize(out.len() + silent, 0);
            decode(&mut decoder, &packets[2], &mut out);
            assert_eq!(out.len(), 320 + lost + 320, "{lost}");
        }
    }

    #[test]
    fn the_sound_after_a_long_gap_is_that_of_the_packets() {
        let all = packets(200, false);
        let whole = decode_all(&all);
        let peak = |pcm: &[i16]| pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        for first in 1..all.len() - 80 {
            let mut decoder = OpusDecoder::with_parameters(None).unwrap();
            let mut out = Vec::new();
            for packet in &all[..first] {
                decode(&mut decoder, packet, &mut out);
            }
            out.clear();
            decoder.reset();
            for packet in &all[first + 60..first + 70] {
                decode(&mut decoder, packet, &mut out);
            }
            let (found, expected) = (peak(&out), peak(&whole[(first + 55) * 320..][..15 * 320]));
            assert!(found <= expected + expected / 100, "{first}: {found}, expected {expected}");
        }
    }

    #[test]
    fn in_band_fec_brings_a_lost_frame_back() {
        let packets = packets(60, true);
        let whole = decode_all(&packets);
        let lose = |fec: bool| {
            let mut decoder = OpusDecoder::with_parameters(None).unwrap();
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
                decode(&mut decoder, packet, &mut out);
            }
            testkit::snr::decibels(&whole[..out.len()], &out)
        };
        let (with, without) = (lose(true), lose(false));
        assert!(with > without + 3.0, "FEC {with:.1} dB, PLC {without:.1} dB");
    }

    #[test]
    fn a_packet_that_libopus_refuses_gives_nothing() {
        let mut decoder = OpusDecoder::with_parameters(None).unwrap();
        let mut out = Vec::new();
        // Code 2: the length of the first of two frames points beyond the packet.
        let broken = [0x0A, 0xFB, 0xFF, 0x00];
        assert!(!decode(&mut decoder, &broken, &mut out));
        assert!(out.is_empty());
    }
}
