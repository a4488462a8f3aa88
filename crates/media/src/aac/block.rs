//! Raw data blocks through the library, and where one of them ends.
//!
//! The library says whether it can read a block, but not where the block ended. Two things need
//! that: several blocks behind one ADTS header, whose lengths are not written; and bytes that are
//! no AAC, of which one packet in a few hundred can be read as a block, but as one that ends long
//! before the packet does.

use std::sync::{Mutex, MutexGuard, PoisonError};

use symphonia_codec_aac::AacDecoder as Symphonia;
use symphonia_core::audio::{AudioBuffer, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use super::config;

/// Behind what may be a block's end. Three bits or fewer that are left there, and are not all of
/// the element that ends a block, begin with this byte an element that the library refuses, or one
/// that is longer: coupling where none are left, a second channel element, a
/// program_config_element, or data or filling that is cut.
const NO_ELEMENT: u8 = 0x40;

/// Decodes the blocks of one rate and of one channel element each.
pub(super) struct BlockDecoder {
    inner: Symphonia,
}

impl BlockDecoder {
    /// `None` when the library refuses.
    pub(super) fn new(rate: u32, channels: u8) -> Option<Self> {
        let mut parameters = AudioCodecParameters::new();
        let config = config::low_complexity(rate, channels);
        parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.into());
        let inner = Symphonia::try_new(&parameters, &AudioDecoderOptions::default()).ok()?;
        Some(Self { inner })
    }

    /// The samples of the block that `bytes` begin with, one plane per channel; `None` when it was
    /// damaged.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Option<&AudioBuffer<f32>> {
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(0), bytes);
        match self.inner.decode_ref(&packet) {
            Ok(GenericAudioBufferRef::F32(samples)) => Some(samples),
            _ => None,
        }
    }

    /// Forgets what the next block would overlap with.
    pub(super) fn reset(&mut self) {
        self.inner.reset();
    }
}

/// The finder that was used last: one in a process, some 100 KB. It takes longer to make than a
/// block to decode, and bytes that are no AAC, or frames of several blocks, ask for one with every
/// packet.
static SPARE: Mutex<Option<Box<EndFinder>>> = Mutex::new(None);

fn spare() -> MutexGuard<'static, Option<Box<EndFinder>>> {
    // A panic while it is locked leaves either a finder or none.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds where blocks end, with a decoder that is used for nothing else: what it remembers of one
/// block changes nothing about whether it can read another.
pub(super) struct EndFinder {
    rate: u32,
    channels: u8,
    decoder: BlockDecoder,
    /// Bytes to be tried.
    trial: Vec<u8>,
}

impl EndFinder {
    /// What `find` finds with a finder for such blocks; `None` when the library refuses.
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

    /// Length of the block that `bytes` begin with.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.holds_end(bytes, bytes.len()) {
            return None;
        }
        // The block's end lies in the first `longest` bytes and not in the first `shortest`.
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

    /// Whether `bytes` are one block and nothing else but zeros behind it.
    pub(super) fn is_one_block(&mut self, bytes: &[u8]) -> bool {
        let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else { return false };
        self.holds_end(bytes, last + 1) && !self.holds_end(bytes, last)
    }

    /// Whether the element that ends a block lies in the first `len` of `bytes`.
    fn holds_end(&mut self, bytes: &[u8], len: usize) -> bool {
        self.trial.clear();
        self.trial.extend_from_slice(&bytes[..len]);
        // It can be read when it is cut in an element that would follow, or has no end at all; one
        // more byte then has to be an element.
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
    fn a_block_ends_where_the_next_begins() {
        for (channels, first) in
            [1, 2].into_iter().flat_map(|n| frames(n).into_iter().map(move |f| (n, f)))
        {
            // A block of each kind, data, fill, the end of a block, or nothing.
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
    fn elements_behind_the_sound_belong_to_the_block_at_every_length() {
        for bytes in 0..40 {
            for channels in [1, 2] {
                let first = aac::tone_with_fill(48_000, channels, bytes);
                assert!(is_one_block(channels, &first), "{bytes}");
                assert_eq!(end(channels, &first.repeat(2)), Some(first.len()), "{bytes}");
            }
        }
    }
}
