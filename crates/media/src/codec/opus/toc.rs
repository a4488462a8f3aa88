//! The first byte of a packet: mode, frame length and count (RFC 6716 §3.1).

/// Longest packet, in 16 kHz samples (120 ms).
const MAX_SAMPLES: u32 = 1920;

/// The table-of-contents byte, as far as this crate uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toc {
    /// Samples of each frame, at 16 kHz.
    pub frame_samples: u32,
    /// Frames in the packet.
    pub frames: u32,
    /// The packet uses SILK (alone or hybrid), so it can carry FEC for the frame before it.
    pub may_carry_fec: bool,
    /// Two channels are coded; the decoder mixes them to mono.
    pub stereo: bool,
}

impl Toc {
    /// Reads the start of `packet`. Returns `None` if the packet is empty, has no frames or lasts
    /// more than 120 ms.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let &first = packet.first()?;
        let config = first >> 3;
        let step = u32::from(config & 3);
        let frame_samples = match config {
            0..=11 => [160, 320, 640, 960][step as usize],
            12..=15 => 160 << (step & 1),
            _ => 40 << step,
        };
        let frames = match first & 3 {
            0 => 1,
            1 | 2 => 2,
            _ => u32::from(packet.get(1)? & 0x3F),
        };
        let toc =
            Self { frame_samples, frames, may_carry_fec: config < 16, stereo: first & 4 != 0 };
        (1..=MAX_SAMPLES).contains(&toc.samples()).then_some(toc)
    }

    /// Returns the samples of the whole packet, at 16 kHz.
    pub fn samples(&self) -> u32 {
        self.frame_samples * self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_libopus() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let packet = [first, second, 0, 0];
                let theirs = audiopus::packet::Packet::try_from(&packet[..]).and_then(|packet| {
                    audiopus::packet::nb_samples(packet, audiopus::SampleRate::Hz16000)
                });
                let theirs = theirs.ok().filter(|&samples| samples > 0);
                let ours = Toc::read(&packet).map(|toc| toc.samples() as usize);
                assert_eq!(ours, theirs, "{packet:?}");
            }
        }
        assert_eq!(Toc::read(&[]), None);
        assert_eq!(Toc::read(&[0x03]), None);
    }
}
