//! Packets that fail one after another are another codec, not damage.

use crate::timeline::Length;

/// Failing media in a row after which the codec is refused by name, ns: 2 s. Damage of a connection
/// lasts for a fragment at most, and the fragment is then read again.
const REFUSED_AFTER: i64 = 2_000_000_000;

/// The same in packets, for packets of which none tells its length.
const REFUSED_PACKETS: u32 = 100;

/// A packet that is decoded makes up for so much of one that failed: bytes of another codec pass
/// for a packet of this one now and then.
const MADE_UP_BY: i64 = 4;

/// How the packets of one decoder have fared lately.
#[derive(Debug, Default)]
pub(super) struct Failing {
    /// A packet was decoded.
    decoded: bool,
    /// Packets that failed since the last one that was decoded.
    packets: u32,
    /// Media that failed, less a quarter of what was decoded, ns.
    nanos: i64,
    refused: bool,
}

impl Failing {
    /// A packet was decoded.
    pub(super) fn decoded(&mut self, length: Length) {
        let nanos = (self.nanos - length.nanos() / MADE_UP_BY).max(0);
        *self = Self { decoded: true, packets: 0, nanos, refused: self.refused };
    }

    /// A packet failed; `true` when the codec has to be refused now, which happens once.
    pub(super) fn failed(&mut self, length: Option<Length>) -> bool {
        self.packets = self.packets.saturating_add(1);
        self.nanos = self.nanos.saturating_add(length.map_or(0, Length::nanos));
        let too_many = self.nanos >= REFUSED_AFTER || self.packets >= REFUSED_PACKETS;
        too_many && self.refuse()
    }

    /// The session ends; `true` when packets came, none was decoded, and that was not said yet.
    pub(super) fn ends(&mut self) -> bool {
        !self.decoded && self.packets > 0 && self.refuse()
    }

    /// Packets that failed since the last one that was decoded.
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// Whether a packet was decoded.
    pub(super) fn has_decoded(&self) -> bool {
        self.decoded
    }

    fn refuse(&mut self) -> bool {
        !std::mem::replace(&mut self.refused, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_of_failing_packets_are_refused_once() {
        let mut failing = Failing::default();
        let packet = Some(Length::samples(320));
        let refused: Vec<_> = (0..300).filter(|_| failing.failed(packet)).collect();
        assert_eq!(refused, [99]);
        assert!(!failing.ends() && !failing.has_decoded());
        failing.decoded(Length::samples(320));
        assert_eq!(failing.packets(), 0);
        assert!((0..300).all(|_| !failing.failed(packet)));
    }

    #[test]
    fn a_short_stream_that_never_decoded_is_refused_at_its_end() {
        let mut failing = Failing::default();
        assert!(!failing.ends());
        failing.failed(None);
        assert!(failing.ends());
        assert!(!failing.ends());
    }

    #[test]
    fn damage_now_and_then_is_no_other_codec() {
        let (mut failing, packet) = (Failing::default(), Length::samples(960));
        for index in 0..1000 {
            if index % 5 == 0 {
                assert!(!failing.failed(Some(packet)));
            } else {
                failing.decoded(packet);
            }
        }
    }

    #[test]
    fn bytes_that_pass_for_a_packet_now_and_then_are_another_codec() {
        let (mut failing, packet) = (Failing::default(), Length::samples(320));
        let refused = (0..250).find(|index| {
            if index % 2 == 0 {
                return failing.failed(Some(packet));
            }
            failing.decoded(packet);
            false
        });
        // 5 s are 250 packets.
        assert!(refused.is_none());
        let refused = (250..300).any(|index| index % 2 == 0 && failing.failed(Some(packet)));
        assert!(refused);
    }
}
