//! Decoding of raw data blocks with the library, and the search for the end of a block.
//!
//! The library reports whether it can read a block, but not where the block ends. The end is needed
//! in two cases: several blocks after one ADTS header, whose lengths are not stored; and bytes that
//! are not AAC: one such packet in a few hundred can be read as a block, but as one that ends long
//! before the packet.

use std::sync::{Mutex, MutexGuard, PoisonError};

use symphonia_codec_aac::AacDecoder as Symphonia;
use symphonia_core::audio::{AudioBuffer, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use super::config;

/// Appended to a possible block. If up to three bits are left there that are not the complete end
/// element, they form with this byte an element that the library refuses or that is longer:
/// coupling if no bit is left, a second channel element, a program_config_element, or a truncated
/// data or fill element.
const NO_ELEMENT: u8 = 0x40;

/// Decodes blocks of one rate with one channel element each.
pub(super) struct BlockDecoder {
    inner: Symphonia,
}

impl BlockDecoder {
    /// Creates a decoder; `None` if the library fails.
    pub(super) fn new(rate: u32, channels: u8) -> Option<Self> {
        let mut parameters = AudioCodecParameters::new();
        let config = config::low_complexity(rate, channels);
        parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.into());
        let inner = Symphonia::try_new(&parameters, &AudioDecoderOptions::default()).ok()?;
        Some(Self { inner })
    }

    /// Decodes the block at the start of `bytes`, one plane per channel; `None` if it is damaged.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Option<&AudioBuffer<f32>> {
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(0), bytes);
        match self.inner.decode_ref(&packet) {
            Ok(GenericAudioBufferRef::F32(samples)) => Some(samples),
            _ => None,
        }
    }

    /// Discards the samples that the next block would overlap with.
    pub(super) fn reset(&mut self) {
        self.inner.reset();
    }
}

/// The finder that was used last: one in a process, some 100 KB. Creating one takes longer than
/// decoding a block, and bytes that are not AAC, and frames of several blocks, need one for every
/// packet.
static SPARE: Mutex<Option<Box<EndFinder>>> = Mutex::new(None);

fn spare() -> MutexGuard<'static, Option<Box<EndFinder>>> {
    // A panic while it is locked leaves either a finder or none.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds the ends of blocks with a decoder of its own. The state that one block leaves in it does
/// not change whether it can read another.
pub(super) struct EndFinder {
    rate: u32,
    channels: u8,
    decoder: BlockDecoder,
    /// Input of a trial.
    trial: Vec<u8>,
}

impl EndFinder {
    /// Calls `find` with a finder for such blocks; `None` if the library fails.
    pub(super) fn with<T>(rate: u32, channels: u8, find: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let last = spare().take();
        let mut finder = match last.filter(|last| (last.rate, last.channels) == (rate, channels)) {
            Some(finder) => finder,
            None => {
                let decoder = BlockDecoder::new(rate, channels)?;
                Box::new(Self { rate, channels, decoder, trial: Vec::new() })
            }
        };
        let found = find(&mut finder);
        *spare() = Some(finder);
        Some(found)
    }

    /// Returns the length of the block at the start of `bytes`.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.holds_end(bytes, bytes.len()) {
            return None;
        }
        // The first `longest` bytes contain the block's end, the first `shortest` do not.
        let (mut shortest, mut longest) = (0, bytes.len());
        while longest - shortest > 1 {
            let middle = shortest.midpoint(longest);
            if self.holds_end(bytes, middle) {
                longest = middle;
            } else {
                shortest = middle;
            }
        }
        Some(longest)
    }

    /// Whether `bytes` are exactly one block, apart from zeros after it.
    pub(super) fn is_one_block(&mut self, bytes: &[u8]) -> bool {
        let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else { return false };
        self.holds_end(bytes, last + 1) && !self.holds_end(bytes, last)
    }

    /// Whether the first `len` of `bytes` contain the element that ends a block.
    fn holds_end(&mut self, bytes: &[u8], len: usize) -> bool {
        self.trial.clear();
        self.trial.extend_from_slice(&bytes[..len]);
        // The library also reads a block without an end, or one that is truncated in a following
        // element; one more byte makes that element invalid.
        if self.decoder.decode(&self.trial).is_none() {
            return false;
        }
        self.trial.push(NO_ELEMENT);
        self.decoder.decode(&self.trial).is_some()
    }
}

#[cfg(test)]
mod tests {
    use testkit::aac;

    use super::*;

    fn frames(channels: u8) -> Vec<Vec<u8>> {
        [aac::tone(48_000, channels, 4), aac::tone_with_sbr(48_000, channels, 4)].concat()
    }

    fn end(channels: u8, bytes: &[u8]) -> Option<usize> {
        EndFinder::with(48_000, channels, |finder| finder.end(bytes)).unwrap()
    }

    fn is_one_block(channels: u8, bytes: &[u8]) -> bool {
        EndFinder::with(48_000, channels, |finder| finder.is_one_block(bytes)).unwrap()
    }

    #[test]
    fn the_end_of_a_block_is_found_before_any_other_bytes() {
        for (channels, first) in
            [1, 2].into_iter().flat_map(|n| frames(n).into_iter().map(move |f| (n, f)))
        {
            // Channel elements, data, fill, the end of a block.
            for behind in [0x00, 0x20, 0x80, 0xC0, 0xE0, 0xFF] {
                let row = [&first[..], &[behind], &[0x55; 40]].concat();
                assert_eq!(end(channels, &row), Some(first.len()), "{channels} {behind:#x}");
                assert!(!is_one_block(channels, &row));
            }
            assert_eq!(end(channels, &first), Some(first.len()));
            assert!(is_one_block(channels, &first));
            assert!(is_one_block(channels, &[&first[..], &[0; 3]].concat()));
            for cut in 0..first.len() {
                assert_eq!(end(channels, &first[..cut]), None);
                assert!(!is_one_block(channels, &first[..cut]));
            }
        }
    }

    #[test]
    fn elements_after_the_channel_element_belong_to_the_block() {
        for bytes in 0..40 {
            for channels in [1, 2] {
                let first = aac::tone_with_fill(48_000, channels, bytes);
                assert!(is_one_block(channels, &first), "{bytes}");
                assert_eq!(end(channels, &first.repeat(2)), Some(first.len()), "{bytes}");
            }
        }
    }
}
