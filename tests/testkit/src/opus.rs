//! Encoding of Opus packets, and decoding with bare libopus.

use audiopus::coder::{Decoder, Encoder};
use audiopus::packet::Packet;
use audiopus::{Application, Bitrate, Channels, MutSignals, SampleRate};

/// Options of the encoder. The input is always 48 kHz.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Two interleaved channels instead of one.
    pub stereo: bool,
    /// Frame length in tenths of a millisecond: 25, 50, 100, 200, 400 or 600.
    pub frame: u32,
    /// Bits per second.
    pub bitrate: i32,
    /// In-band FEC, for an expected loss of 20 %.
    pub fec: bool,
    /// Discontinuous transmission: near-empty packets in silence.
    pub dtx: bool,
    /// Voice mode of the encoder (SILK and hybrid), instead of general audio.
    pub voice: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { stereo: false, frame: 200, bitrate: 32_000, fec: false, dtx: false, voice: true }
    }
}

impl Settings {
    /// Returns the samples of a packet at 48 kHz, per channel.
    pub fn frame_samples(&self) -> usize {
        self.frame as usize * 48 / 10
    }
}

/// Encodes complete frames of `pcm` (48 kHz, interleaved if stereo); an incomplete last frame is
/// dropped.
pub fn encode(settings: &Settings, pcm: &[i16]) -> Vec<Vec<u8>> {
    let channels = if settings.stereo { Channels::Stereo } else { Channels::Mono };
    let application = if settings.voice { Application::Voip } else { Application::Audio };
    let mut encoder = Encoder::new(SampleRate::Hz48000, channels, application).unwrap();
    encoder.set_bitrate(Bitrate::BitsPerSecond(settings.bitrate)).unwrap();
    encoder.set_inband_fec(settings.fec).unwrap();
    encoder.set_packet_loss_perc(if settings.fec { 20 } else { 0 }).unwrap();
    encoder.set_dtx(settings.dtx).unwrap();
    let width = if settings.stereo { 2 } else { 1 };
    let mut packet = vec![0; 4000];
    pcm.chunks_exact(settings.frame_samples() * width)
        .map(|frame| {
            let len = encoder.encode(frame, &mut packet).unwrap();
            packet[..len].to_vec()
        })
        .collect()
}

/// Returns the delay of the encoder in samples at 48 kHz: the pre-skip of OpusHead.
pub fn lookahead(settings: &Settings) -> u16 {
    let channels = if settings.stereo { Channels::Stereo } else { Channels::Mono };
    let application = if settings.voice { Application::Voip } else { Application::Audio };
    let encoder = Encoder::new(SampleRate::Hz48000, channels, application).unwrap();
    encoder.lookahead().unwrap() as u16
}

/// Returns an OpusHead of mapping family 0.
pub fn head(channels: u8, pre_skip: u16, gain: i16) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend(pre_skip.to_le_bytes());
    head.extend(48_000_u32.to_le_bytes());
    head.extend(gain.to_le_bytes());
    head.push(0);
    head
}

/// Decodes packets with bare libopus at 16 kHz mono, without trimming: the reference.
pub fn decode<P: AsRef<[u8]>>(packets: &[P]) -> Vec<i16> {
    decode_each(packets).concat()
}

/// Like [`decode`], with the samples of each packet separate.
pub fn decode_each<P: AsRef<[u8]>>(packets: &[P]) -> Vec<Vec<i16>> {
    let mut decoder = Decoder::new(SampleRate::Hz16000, Channels::Mono).unwrap();
    let mut frame = [0_i16; 1920];
    let mut decode = |packet: &P| {
        let packet = Packet::try_from(packet.as_ref()).unwrap();
        let signals = MutSignals::try_from(&mut frame[..]).unwrap();
        let samples = decoder.decode(Some(packet), signals, false).unwrap();
        frame[..samples].to_vec()
    };
    packets.iter().map(&mut decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_length_survives_the_codec() {
        let mono = crate::pcm::speech_like(3, 48_000);
        let stereo = crate::pcm::interleave(&mono, &crate::pcm::speech_like(4, 48_000));
        for frame in [25, 50, 100, 200, 400, 600] {
            for is_stereo in [false, true] {
                let settings = Settings { frame, stereo: is_stereo, ..Settings::default() };
                let packets = encode(&settings, if is_stereo { &stereo } else { &mono });
                let expected = packets.len() * frame as usize * 16 / 10;
                assert_eq!(decode(&packets).len(), expected, "{frame} {is_stereo}");
            }
        }
    }

    #[test]
    fn dtx_makes_silence_nearly_free() {
        let settings = Settings { dtx: true, ..Settings::default() };
        let packets = encode(&settings, &vec![0; 48_000]);
        assert!(packets.iter().filter(|packet| packet.len() <= 2).count() > 20);
    }
}
