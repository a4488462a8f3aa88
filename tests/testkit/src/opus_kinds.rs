//! Opus packets of every kind of RFC 6716 §3: each of the 32 configurations, mono and stereo, and
//! each code for the number of frames in a packet. The 12 official test vectors consist of these
//! kinds.

use audiopus::coder::Encoder;
use audiopus::{Application, Bandwidth, Bitrate, Channels, SampleRate};

use crate::pcm;

/// libopus's request to force a mode (OPUS_SET_FORCE_MODE), which is not in its public header.
const FORCE_MODE: i32 = 11_002;

/// Consecutive frames of one configuration.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Configuration number, 0 to 31 (RFC 6716 table 2).
    pub config: u8,
    /// Two channels.
    pub stereo: bool,
    /// The frames, without their table-of-contents byte.
    pub frames: Vec<Vec<u8>>,
}

impl Kind {
    /// Returns the length of a frame, in tenths of a millisecond.
    pub fn frame(&self) -> u32 {
        let step = usize::from(self.config & 3);
        match self.config {
            0..12 => [100, 200, 400, 600][step],
            12..16 => [100, 200][step & 1],
            _ => [25, 50, 100, 200][step],
        }
    }

    fn toc(&self, code: u8) -> u8 {
        self.config << 3 | u8::from(self.stereo) << 2 | code
    }

    /// Code 0: one frame.
    pub fn one(&self, frame: usize) -> Vec<u8> {
        [&[self.toc(0)][..], &self.frames[frame]].concat()
    }

    /// Code 1: the same frame twice, because both must have one length.
    pub fn two_equal(&self, frame: usize) -> Vec<u8> {
        let frame = &self.frames[frame];
        [&[self.toc(1)][..], frame, frame].concat()
    }

    /// Code 2: two frames of different lengths.
    pub fn two(&self, frame: usize) -> Vec<u8> {
        let (one, two) = (&self.frames[frame], &self.frames[frame + 1]);
        [&[self.toc(2)][..], &length(one.len()), one, two].concat()
    }

    /// Code 3: `count` frames of different lengths, followed by `padding` bytes.
    pub fn many(&self, frame: usize, count: usize, padding: usize) -> Vec<u8> {
        let frames = &self.frames[frame..frame + count];
        let padded = if padding > 0 { 0x40 } else { 0 };
        let mut packet = vec![self.toc(3), 0x80 | padded | count as u8];
        if padding > 0 {
            packet.extend(vec![255; padding / 255]);
            packet.push((padding % 255) as u8);
        }
        for frame in &frames[..count - 1] {
            packet.extend(length(frame.len()));
        }
        packet.extend(frames.concat());
        packet.extend(vec![0; padding / 255 * 254 + padding % 255]);
        packet
    }
}

/// Encodes a frame's length for codes 2 and 3 (RFC 6716 §3.2.1).
fn length(bytes: usize) -> Vec<u8> {
    if bytes < 252 {
        vec![bytes as u8]
    } else {
        let low = 252 + (bytes & 3);
        vec![low as u8, ((bytes - low) / 4) as u8]
    }
}

/// Returns all 64 kinds: 32 configurations, mono and stereo.
pub fn all() -> Vec<Kind> {
    let silk = [Bandwidth::Narrowband, Bandwidth::Mediumband, Bandwidth::Wideband];
    let celt =
        [Bandwidth::Narrowband, Bandwidth::Wideband, Bandwidth::Superwideband, Bandwidth::Fullband];
    let configs = (0..32_u8).map(|config| match config {
        0..12 => (config, 1000, silk[usize::from(config / 4)]),
        12..16 => (config, 1001, celt[usize::from(2 + (config - 12) / 2)]),
        _ => (config, 1002, celt[usize::from((config - 16) / 4)]),
    });
    configs
        .flat_map(|(config, mode, bandwidth)| {
            [false, true].map(|stereo| encode(config, mode, bandwidth, stereo))
        })
        .collect()
}

fn encode(config: u8, mode: i32, bandwidth: Bandwidth, stereo: bool) -> Kind {
    let mut kind = Kind { config, stereo, frames: Vec::new() };
    let channels = if stereo { Channels::Stereo } else { Channels::Mono };
    let mut encoder = Encoder::new(SampleRate::Hz48000, channels, Application::Audio).unwrap();
    encoder.set_bitrate(Bitrate::BitsPerSecond(if stereo { 48_000 } else { 32_000 })).unwrap();
    encoder.set_encoder_ctl_request(FORCE_MODE, mode).unwrap();
    encoder.set_bandwidth(bandwidth).unwrap();
    encoder.set_force_channels(channels).unwrap();
    let samples = kind.frame() as usize * 48 / 10;
    let mono = pcm::speech_like(u64::from(config), 48_000);
    let sound = if stereo { pcm::interleave(&mono, &mono) } else { mono };
    let mut packet = vec![0; 4000];
    // The encoder needs a few frames to switch to the forced mode.
    for frame in sound.chunks_exact(samples * if stereo { 2 } else { 1 }) {
        let len = encoder.encode(frame, &mut packet).unwrap();
        if packet[0] == kind.toc(0) && len > 1 {
            kind.frames.push(packet[1..len].to_vec());
        }
    }
    assert!(kind.frames.len() >= 12, "configuration {config}: {} frames", kind.frames.len());
    kind
}
