//! Uncompressed audio: A_PCM/INT/LIT, A_MS/ACM (PCM, G.711 µ-law and A-law) and the L16 of Amazon
//! Connect, in one or two channels.

mod g711;
mod layout;

pub use layout::{Encoding, PcmLayout};

use super::{Codec, Span};
use crate::Error;
use crate::convert::Converter;
use crate::mkv::Track;
use crate::timeline::Length;

/// Longest packet that a block is divided into, ms.
const MAX_PACKET_MS: u32 = 60;

/// Longest packet in bytes, which bounds the memory for its samples at every rate.
const MAX_PACKET_BYTES: usize = 4096;

/// Converts blocks of uncompressed samples to 16 kHz mono.
#[derive(Debug)]
pub struct PcmDecoder {
    layout: PcmLayout,
    converter: Converter,
}

impl Codec for PcmDecoder {
    type Parameters = PcmLayout;
    type Header<'a> = ();

    fn parameters(
        track: &Track,
        mime_type: Option<&str>,
    ) -> Option<Result<PcmLayout, &'static str>> {
        PcmLayout::of_track(track, mime_type)
    }

    fn rate(layout: PcmLayout) -> u32 {
        layout.rate
    }

    fn with_parameters(layout: PcmLayout) -> Result<Self, Error> {
        Ok(Self { layout, converter: Converter::new(layout.rate)? })
    }

    fn latency(&self) -> u32 {
        self.converter.latency()
    }

    /// Divides a long block, so that the output of a packet is short. An incomplete sample at the
    /// end is dropped.
    fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let frame = self.layout.frame_bytes();
        let samples = (self.layout.rate * MAX_PACKET_MS / 1000) as usize;
        let longest = samples.min(MAX_PACKET_BYTES / frame) * frame;
        let (packet, rest) = block.split_at(block.len().min(longest));
        (packet, if rest.len() < frame { &[] } else { rest })
    }

    fn header(&self, data: &[u8]) -> Option<(Length, ())> {
        // A block has at most 96 KB.
        let frames = (data.len() / self.layout.frame_bytes()) as u32;
        Some((Length { frames, rate: self.layout.rate }, ()))
    }

    fn decode(&mut self, data: &[u8], (): (), span: Span, out: &mut Vec<i16>) -> bool {
        let layout = self.layout;
        let channels = usize::from(layout.channels);
        let mono = |frame: &[u8]| {
            let samples = frame.chunks_exact(layout.encoding.bytes());
            samples.map(|sample| layout.encoding.sample(sample)).sum::<f32>() / channels as f32
        };
        self.converter.source().extend(data.chunks_exact(layout.frame_bytes()).map(mono));
        self.converter.block(span.fraction, span.samples, out);
        true
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        self.converter.silence(samples, out);
    }

    fn diagnose(&self, _data: &[u8]) -> &'static str {
        "blocks that are shorter than one sample of every channel"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, channels: u8, block: &[u8]) -> Vec<i16> {
        let layout = PcmLayout { encoding, channels, rate: 16_000 };
        let mut decoder = PcmDecoder::with_parameters(layout).unwrap();
        let mut out = Vec::new();
        let samples = block.len() / layout.frame_bytes();
        assert!(decoder.decode(block, (), Span { samples, fraction: 0 }, &mut out));
        out
    }

    #[test]
    fn integers_of_every_width_keep_their_upper_16_bits() {
        assert_eq!(decode(Encoding::Unsigned8, 1, &[0, 128, 255]), [-32_768, 0, 32_512]);
        assert_eq!(decode(Encoding::Signed16, 1, &[1, 0, 0, 128]), [1, -32_768]);
        assert_eq!(decode(Encoding::Signed24, 1, &[0, 1, 0, 0, 0, 128]), [1, -32_768]);
        assert_eq!(decode(Encoding::Signed32, 1, &[0, 0, 1, 0]), [1]);
    }

    #[test]
    fn stereo_is_mixed_and_an_incomplete_sample_dropped() {
        assert_eq!(decode(Encoding::Signed16, 2, &[100, 0, 200, 0, 7]), [150]);
    }

    #[test]
    fn telephone_speech_is_resampled_to_16_khz() {
        let layout = PcmLayout { encoding: Encoding::Signed16, channels: 1, rate: 8_000 };
        let mut decoder = PcmDecoder::with_parameters(layout).unwrap();
        let mut out = Vec::new();
        decoder.decode(&[0; 320], (), Span { samples: 320, fraction: 0 }, &mut out);
        assert_eq!(out, [0; 320]);
    }

    /// Decodes `samples` in blocks of `frames` as a stream does: the timeline determines the number
    /// of output samples of each.
    fn in_blocks(rate: u32, samples: &[i16], frames: usize) -> Vec<i16> {
        let layout = PcmLayout { encoding: Encoding::Signed16, channels: 1, rate };
        let mut decoder = PcmDecoder::with_parameters(layout).unwrap();
        let (mut out, mut fraction) = (Vec::new(), 0);
        for block in samples.chunks(frames) {
            let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let ahead = fraction + block.len() as u32 * crate::SAMPLE_RATE;
            let samples = (ahead / rate) as usize;
            let expected = out.len() + samples;
            decoder.decode(&bytes, (), Span { samples, fraction }, &mut out);
            assert_eq!(out.len(), expected);
            fraction = ahead % rate;
        }
        out
    }

    #[test]
    fn blocks_shorter_than_an_output_sample_give_the_same_sound() {
        for rate in [96_000, 48_000, 44_100, 32_000, 16_000, 8_000] {
            let turn = |at: u32| f64::from(at) * 440.0 * std::f64::consts::TAU / f64::from(rate);
            let tone: Vec<i16> =
                (0..rate / 2).map(|at| (turn(at).sin() * 12_000.0) as i16).collect();
            let whole = in_blocks(rate, &tone, 1024);
            assert_eq!(whole.len(), 8_000);
            assert!(whole.iter().any(|sample| *sample > 10_000));
            for frames in [1, 2, 3] {
                let found = in_blocks(rate, &tone, frames);
                assert_eq!(found.len(), whole.len());
                let decibels = testkit::snr::decibels(&whole, &found);
                assert!(decibels > 60.0, "{frames} of {rate} Hz: {decibels:.1} dB");
            }
        }
    }
}
