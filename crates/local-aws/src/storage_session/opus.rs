//! Decoding of a track of Opus packets, with concealment of those that were lost.
//!
//! The time of every sample comes from RTP: a packet after a loss or a pause is not moved.

use audiopus::coder::Decoder;
use audiopus::packet::{self, Packet};
use audiopus::{Channels, MutSignals, SampleRate};

use super::session_time::SessionTime;

/// The delay of the reference encoder, which browsers use, in samples at 48 kHz. The decoder's
/// output is delayed by this many samples.
const ENCODER_DELAY: i64 = 312;
/// Longest loss that is concealed, in samples: 120 ms. The concealment of libopus fades out.
const MAX_CONCEALED: i64 = 5760;
/// Longest pause between two packets in a row that is discontinuous transmission: its packets come
/// every 400 ms. The decoder fills it with comfort noise.
const MAX_PAUSE: i64 = 48_000;
/// Longest Opus packet: 120 ms.
const MAX_PACKET: usize = 5760;
/// The decoder conceals multiples of 2.5 ms.
const UNIT: usize = 120;
/// Longest time that is concealed in one call: 20 ms.
const MAX_STEP: usize = 960;

/// libopus failed to start.
#[derive(Debug, thiserror::Error)]
#[error("Opus decoder: {0}")]
pub(super) struct DecodeError(audiopus::Error);

/// A received Opus packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpusPacket<'a> {
    /// The time of its first sample.
    pub(super) time: SessionTime,
    /// Its extended RTP sequence number.
    pub(super) sequence: u64,
    /// The packet. One without bytes carries padding only and is ignored.
    pub(super) data: &'a [u8],
}

/// Decoded sound: 48 kHz mono.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sound {
    /// The time of the first sample.
    pub(super) time: SessionTime,
    /// The samples.
    pub(super) samples: Vec<i16>,
    /// The number of leading samples that replace lost time.
    pub(super) concealed: usize,
}

/// The latest packet that was decoded.
#[derive(Debug, Clone, Copy)]
struct LastPacket {
    /// The time of its end.
    end: SessionTime,
    sequence: u64,
}

/// The decoder of one track.
#[derive(Debug)]
pub(super) struct OpusTrack {
    decoder: Decoder,
    last: Option<LastPacket>,
}

impl OpusTrack {
    /// Creates a decoder.
    ///
    /// # Errors
    /// libopus has no memory.
    pub(super) fn new() -> Result<Self, DecodeError> {
        let decoder = Decoder::new(SampleRate::Hz48000, Channels::Mono).map_err(DecodeError)?;
        Ok(Self { decoder, last: None })
    }

    /// Decodes the next packet. Returns `None` if it has no sound or repeats time that is decoded.
    /// A short loss before it is concealed; a longer one remains a gap before the returned sound.
    pub(super) fn decode(&mut self, received: &OpusPacket) -> Option<Sound> {
        let Some(length) = duration(received.data) else {
            // Padding is not a loss.
            if let Some(last) = self.last.as_mut().filter(|_| received.data.is_empty()) {
                last.sequence = received.sequence;
            }
            return None;
        };
        let missing = self.last.map_or(0, |last| (received.time - last.end).as_samples());
        if missing < 0 && -missing < MAX_PAUSE {
            return None;
        }
        let in_a_row = self.last.is_some_and(|last| received.sequence == last.sequence + 1);
        let concealed = match usize::try_from(missing) {
            Ok(_) if in_a_row && missing <= MAX_PAUSE => missing as usize,
            Ok(_) if missing <= MAX_CONCEALED => missing as usize,
            _ => 0,
        };
        if missing > 0 && concealed == 0 {
            // The decoder must know of the loss: it predicts a packet's loudness from the one
            // before, and would be too loud by far. This sound is not used.
            self.conceal(MAX_CONCEALED as usize, None, &mut Vec::new());
        }
        let mut samples = Vec::with_capacity(concealed + length);
        self.conceal(concealed, (!in_a_row).then_some(received.data), &mut samples);
        self.call(Some(received.data), false, length, &mut samples);
        samples.resize(concealed + length, 0);
        let end = received.time + SessionTime::samples(length as i64);
        self.last = Some(LastPacket { end, sequence: received.sequence });
        let time = received.time - SessionTime::samples(ENCODER_DELAY + concealed as i64);
        Some(Sound { time, samples, concealed })
    }

    /// Fills `count` samples. The end comes from the forward error correction of the packet after
    /// them, if it has any, the rest from the decoder's concealment.
    fn conceal(&mut self, count: usize, next: Option<&[u8]>, out: &mut Vec<i16>) {
        let corrected = next.and_then(corrected).filter(|&frame| frame <= count).unwrap_or(0);
        let mut left = count - corrected;
        while left > 0 {
            let step = left.min(MAX_STEP);
            let start = out.len();
            self.call(None, false, step.next_multiple_of(UNIT), out);
            out.resize(start + step, 0);
            left -= step;
        }
        if corrected > 0 {
            let start = out.len();
            self.call(next, true, corrected, out);
            out.resize(start + corrected, 0);
        }
    }

    /// Calls libopus, and appends at most `count` samples to `out`; none if it fails.
    fn call(&mut self, data: Option<&[u8]>, fec: bool, count: usize, out: &mut Vec<i16>) {
        let start = out.len();
        out.resize(start + count, 0);
        let packet = data.map(Packet::try_from).transpose();
        let signals = MutSignals::try_from(&mut out[start..]);
        let written = match (packet, signals) {
            (Ok(packet), Ok(signals)) => self.decoder.decode(packet, signals, fec).unwrap_or(0),
            _ => 0,
        };
        out.truncate(start + written.min(count));
    }
}

/// Returns the samples of a packet at 48 kHz; `None` if it is not a packet.
fn duration(data: &[u8]) -> Option<usize> {
    let packet = Packet::try_from(data).ok().filter(|_| !data.is_empty())?;
    let samples = packet::nb_samples(packet, SampleRate::Hz48000).ok()?;
    (1..=MAX_PACKET).contains(&samples).then_some(samples)
}

/// Returns the samples that a packet can restore of the time before it: one frame, if it is coded
/// with SILK (RFC 6716 §3.1, §4.2.5).
fn corrected(data: &[u8]) -> Option<usize> {
    let config = data.first()? >> 3;
    match config {
        0..=11 => Some([480, 960, 1920, 2880][usize::from(config & 3)]),
        12..=15 => Some(480 << (config & 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::opus::{self, Settings};

    /// 20 ms packets of speech, with their times from 100 ms on.
    fn packets(settings: &Settings) -> Vec<Vec<u8>> {
        opus::encode(settings, &testkit::pcm::speech_like(5, 48_000))
    }

    fn packet(number: usize, data: &[u8]) -> OpusPacket<'_> {
        let time = SessionTime::ms(100 + 20 * number as i64);
        OpusPacket { time, sequence: number as u64, data }
    }

    /// Returns the sounds of the packets that `keep` selects.
    fn decoded(packets: &[Vec<u8>], keep: impl Fn(usize) -> bool) -> Vec<Sound> {
        let mut track = OpusTrack::new().unwrap();
        let kept = packets.iter().enumerate().filter(|(number, _)| keep(*number));
        kept.filter_map(|(number, data)| track.decode(&packet(number, data))).collect()
    }

    #[test]
    fn sound_has_the_time_at_which_it_was_spoken() {
        let sounds = decoded(&packets(&Settings::default()), |_| true);
        for (number, sound) in sounds.iter().enumerate() {
            let spoken = SessionTime::ms(100 + 20 * number as i64) - SessionTime::samples(312);
            assert_eq!((sound.time, sound.samples.len(), sound.concealed), (spoken, 960, 0));
        }
    }

    #[test]
    fn the_sound_after_a_long_loss_is_not_louder() {
        let peak = |sounds: &[Sound]| {
            let samples = sounds.iter().flat_map(|sound| &sound.samples);
            samples.map(|sample| sample.unsigned_abs()).max().unwrap()
        };
        let all = opus::encode(&Settings::default(), &testkit::pcm::speech_like(5, 4 * 48_000));
        let whole = decoded(&all, |_| true);
        for first in 1..all.len() - 80 {
            let lost = first..first + 60;
            let sounds = decoded(&all, |number| !lost.contains(&number));
            let (found, expected) =
                (peak(&sounds[first..first + 10]), peak(&whole[lost.end - 5..lost.end + 10]));
            assert!(found <= expected + expected / 4, "{first}: {found}, without loss {expected}");
        }
    }

    #[test]
    fn a_short_loss_is_concealed_in_its_length() {
        let settings = Settings { fec: true, ..Settings::default() };
        let all = packets(&settings);
        for lost in [1, 3, 6] {
            let sounds = decoded(&all, |number| !(10..10 + lost).contains(&number));
            let after = &sounds[10];
            assert_eq!(after.concealed, lost * 960);
            assert_eq!(after.samples.len(), (lost + 1) * 960);
            assert_eq!(after.time, sounds[9].time + SessionTime::samples(960));
            assert!(after.samples[..after.concealed].iter().any(|&sample| sample != 0));
        }
    }

    #[test]
    fn a_long_loss_is_left_as_a_gap_of_its_length() {
        let sounds = decoded(&packets(&Settings::default()), |number| !(10..17).contains(&number));
        let (before, after) = (&sounds[9], &sounds[10]);
        assert_eq!(after.concealed, 0);
        assert_eq!((after.time - before.time).as_ms(), 160);
    }

    #[test]
    fn a_pause_of_discontinuous_transmission_is_filled() {
        let all = packets(&Settings { dtx: true, ..Settings::default() });
        let mut track = OpusTrack::new().unwrap();
        track.decode(&packet(0, &all[0])).unwrap();
        let next = OpusPacket { sequence: 1, ..packet(20, &all[1]) };
        let sound = track.decode(&next).unwrap();
        assert_eq!((sound.concealed, sound.samples.len()), (19 * 960, 20 * 960));
    }

    #[test]
    fn empty_and_repeated_packets_have_no_sound() {
        let all = packets(&Settings::default());
        let mut track = OpusTrack::new().unwrap();
        assert_eq!(track.decode(&packet(0, &[])), None);
        assert!(track.decode(&packet(1, &all[1])).is_some());
        assert_eq!(track.decode(&packet(1, &all[1])), None);
        assert_eq!(track.decode(&packet(0, &all[0])), None);
    }
}
