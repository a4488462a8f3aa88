//! Uncompressed audio: A_PCM/INT/LIT, A_MS/ACM (PCM, G.711 µ-law and A-law) and Amazon Connect's
//! L16.

mod g711;
mod layout;

pub use layout::{Encoding, PcmLayout};

use crate::Error;
use crate::convert::Converter;

/// Longest packet that a block is taken in, ms.
const MAX_PACKET_MS: u32 = 60;

/// Most bytes of a packet, so that its samples take little memory at any rate.
const MAX_PACKET_BYTES: usize = 4096;

/// Turns blocks of uncompressed samples into 16 kHz mono.
#[derive(Debug)]
pub struct PcmDecoder {
    layout: PcmLayout,
    converter: Converter,
}

impl PcmDecoder {
    /// A decoder for `layout`.
    ///
    /// # Errors
    /// [`Error::Decoder`] for a rate that cannot be converted.
    pub fn new(layout: PcmLayout) -> Result<Self, Error> {
        Ok(Self { layout, converter: Converter::new(layout.rate)? })
    }

    /// Samples per channel in a block; bytes that do not make a whole one are left out.
    pub fn frames(&self, block: &[u8]) -> usize {
        block.len() / self.layout.frame_bytes()
    }

    /// Takes the first packet off `block`, and says what follows it; half a sample at the end is
    /// left out.
    pub(crate) fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let frame = self.layout.frame_bytes();
        let samples = (self.layout.rate * MAX_PACKET_MS / 1000) as usize;
        let longest = samples.min(MAX_PACKET_BYTES / frame) * frame;
        let (packet, rest) = block.split_at(block.len().min(longest));
        (packet, if rest.len() < frame { &[] } else { rest })
    }

    /// Samples per second of a block.
    pub fn rate(&self) -> u32 {
        self.layout.rate
    }

    /// Appends `len` samples for time that is not covered.
    pub(crate) fn silence(&mut self, len: usize, out: &mut Vec<i16>) {
        self.converter.silence(len, out);
    }

    pub(crate) fn latency(&self) -> u32 {
        self.converter.latency()
    }

    /// Appends the block's samples, `len` at 16 kHz, to `out`.
    pub(crate) fn decode(&mut self, block: &[u8], fraction: u32, len: usize, out: &mut Vec<i16>) {
        let layout = self.layout;
        let channels = usize::from(layout.channels);
        let mono = |frame: &[u8]| {
            let samples = frame.chunks_exact(layout.encoding.bytes());
            samples.map(|sample| layout.encoding.sample(sample)).sum::<f32>() / channels as f32
        };
        self.converter.source().extend(block.chunks_exact(layout.frame_bytes()).map(mono));
        self.converter.block(fraction, len, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, channels: u8, block: &[u8]) -> Vec<i16> {
        let layout = PcmLayout { encoding, channels, rate: 16_000 };
        let mut decoder = PcmDecoder::new(layout).unwrap();
        let mut out = Vec::new();
        decoder.decode(block, 0, decoder.frames(block), &mut out);
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
    fn stereo_is_mixed_and_half_a_sample_is_left_out() {
        assert_eq!(decode(Encoding::Signed16, 2, &[100, 0, 200, 0, 7]), [150]);
    }

    #[test]
    fn telephone_speech_is_brought_to_16_khz() {
        let layout = PcmLayout { encoding: Encoding::Signed16, channels: 1, rate: 8_000 };
        let mut decoder = PcmDecoder::new(layout).unwrap();
        let mut out = Vec::new();
        decoder.decode(&[0; 320], 0, 320, &mut out);
        assert_eq!(out, [0; 320]);
    }

    /// The block's samples as a stream asks for them, in blocks of `frames`: as many as the
    /// timeline has for each.
    fn in_blocks(rate: u32, samples: &[i16], frames: usize) -> Vec<i16> {
        let layout = PcmLayout { encoding: Encoding::Signed16, channels: 1, rate };
        let mut decoder = PcmDecoder::new(layout).unwrap();
        let (mut out, mut fraction) = (Vec::new(), 0);
        for block in samples.chunks(frames) {
            let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let ahead = fraction + block.len() as u32 * crate::SAMPLE_RATE;
            let expected = out.len() + (ahead / rate) as usize;
            decoder.decode(&bytes, fraction, (ahead / rate) as usize, &mut out);
            assert_eq!(out.len(), expected);
            fraction = ahead % rate;
        }
        out
    }

    #[test]
    fn blocks_shorter_than_a_sample_at_16_khz_give_the_same_sound() {
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
