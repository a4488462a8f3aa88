//! Recognition of data that a track's codec cannot decode: the probable reason, and the format that
//! the producer should send.

/// Fewest bytes from which 16-bit samples are distinguished from compressed data: 32 samples.
const MIN_PCM: usize = 64;

/// Mean difference between adjacent 16-bit samples below which they are a signal. For compressed
/// bytes the mean is 21,800, and over [`MIN_PCM`] bytes less than this in one packet of 10⁹; for
/// speech at 8 kHz it is less than a tenth of the peak.
const SMOOTH_STEP: u64 = 8_000;

/// Returns the reason for data in a known format that no codec of the table decodes; `None` for
/// unknown data.
pub(super) fn known_framing(data: &[u8]) -> Option<&'static str> {
    Some(match data {
        [b'A', b'D', b'I', b'F', ..] => "an ADIF file: send raw AAC frames, or ADTS",
        [b'O', b'g', b'g', b'S', ..] => "pages of an Ogg file: send the packets in them",
        [b'R', b'I', b'F', b'F', ..] => "a WAV file: send its samples as A_PCM/INT/LIT",
        // Before the sync words: one in some thousand samples equals one.
        _ if is_pcm(data) => {
            "the bytes look like 16-bit PCM: label the track A_PCM/INT/LIT, or send a MimeType tag"
        }
        // The sync word of AudioSyncStream, 11 bits (ISO/IEC 14496-3 §1.7.2).
        [0x56, second, ..] if second & 0xE0 == 0xE0 => {
            "LOAS/LATM framing (sync word 0x2B7): send raw AAC frames, or ADTS"
        }
        _ if is_mpeg_audio(data) => "MPEG audio (MP3), not AAC: no decoder for this codec",
        _ => return None,
    })
}

/// Whether `data` begins with the header of an MPEG-1 or MPEG-2 audio frame of any layer, without
/// reserved values (ISO/IEC 11172-3 §2.4.1.3).
fn is_mpeg_audio(data: &[u8]) -> bool {
    let &[sync, second, third, _, ..] = data else { return false };
    let layer = second >> 1 & 3;
    sync == 0xFF && second & 0xF0 == 0xF0 && layer != 0 && third >> 4 != 15 && third >> 2 & 3 != 3
}

/// Whether `data` is a signal (or silence) if read as 16-bit samples of either byte order.
fn is_pcm(data: &[u8]) -> bool {
    let is_smooth = |sample: fn([u8; 2]) -> i16| {
        let (pairs, _) = data.as_chunks::<2>();
        let samples = || pairs.iter().map(|pair| sample(*pair));
        let steps: u64 =
            samples().zip(samples().skip(1)).map(|(a, b)| u64::from(a.abs_diff(b))).sum();
        steps < SMOOTH_STEP * (pairs.len() as u64 - 1)
    };
    data.len() >= MIN_PCM && (is_smooth(i16::from_le_bytes) || is_smooth(i16::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use testkit::pcm::{Random, speech_like};

    use super::*;

    fn noise(random: &mut Random, len: usize) -> Vec<u8> {
        (0..len).map(|_| random.below(256) as u8).collect()
    }

    #[test]
    fn speech_of_either_byte_order_is_pcm_and_compressed_bytes_are_not() {
        let speech = speech_like(3, 48_000);
        for block in speech.chunks_exact(160) {
            let little: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let big: Vec<u8> = block.iter().flat_map(|sample| sample.to_be_bytes()).collect();
            assert!(is_pcm(&little) && is_pcm(&big));
        }
        assert!(is_pcm(&[0; 320]));
        let mut random = Random::new(5);
        for len in [64, 100, 320, 1000].repeat(2000) {
            assert!(!is_pcm(&noise(&mut random, len)));
        }
        assert!(!is_pcm(&[0; 63]) && !is_pcm(&[]));
    }

    #[test]
    fn framings_are_recognized_by_their_first_bytes() {
        for (first, expected) in [
            (&[0x56, 0xE1, 0x2F, 0x20][..], "LOAS"),
            (b"ADIF", "ADIF"),
            (b"OggS", "Ogg"),
            (b"RIFF", "WAV"),
            (&[0xFF, 0xFB, 0x90, 0x64], "MP3"),
        ] {
            let data = [first, &noise(&mut Random::new(1), 200)].concat();
            assert!(
                known_framing(&data).is_some_and(|reason| reason.contains(expected)),
                "{expected}"
            );
        }
        // An ADTS header, and one of MPEG audio whose rate is reserved.
        for first in [[0xFF, 0xF1, 0x4C, 0x80], [0xFF, 0xFB, 0x9C, 0x64]] {
            let data = [&first[..], &noise(&mut Random::new(1), 200)].concat();
            assert_eq!(known_framing(&data), None);
        }
        assert_eq!(known_framing(&[]), None);
    }
}
