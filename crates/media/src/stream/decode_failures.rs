//! Distinguishes damaged packets from a wrong codec: then many packets in a row fail.

use crate::timeline::Length;

/// Media that fails in a row until the codec is reported as unsupported, ns: 2 s. Damage by a
/// connection lasts for a fragment at most, and the fragment is read again.
const REPORTED_AFTER: i64 = 2_000_000_000;

/// The same in packets, for packets of unknown length.
const REPORTED_PACKETS: u32 = 100;

/// A decoded packet compensates for this fraction of a failed one: bytes of another codec are
/// sometimes decodable as a packet of this one.
const COMPENSATION: i64 = 4;

/// Recent failures of one decoder.
#[derive(Debug, Default)]
pub(super) struct DecodeFailures {
    /// A packet was decoded.
    decoded: bool,
    /// Packets that failed since the last decoded one.
    packets: u32,
    /// Failed media minus a quarter of the decoded media, ns.
    nanos: i64,
    /// The codec was reported as unsupported.
    reported: bool,
}

impl DecodeFailures {
    /// Records a decoded packet.
    pub(super) fn decoded(&mut self, length: Length) {
        let nanos = (self.nanos - length.nanos() / COMPENSATION).max(0);
        *self = Self { decoded: true, packets: 0, nanos, reported: self.reported };
    }

    /// Records a failed packet. Returns `true`, once, when the codec must be reported.
    pub(super) fn failed(&mut self, length: Option<Length>) -> bool {
        self.packets = self.packets.saturating_add(1);
        self.nanos = self.nanos.saturating_add(length.map_or(0, Length::nanos));
        let too_many = self.nanos >= REPORTED_AFTER || self.packets >= REPORTED_PACKETS;
        too_many && self.report_once()
    }

    /// Ends the session. Returns `true` if all packets failed and that was not reported yet.
    pub(super) fn end(&mut self) -> bool {
        !self.decoded && self.packets > 0 && self.report_once()
    }

    /// Returns the packets that failed since the last decoded one.
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// Whether a packet was decoded.
    pub(super) fn has_decoded(&self) -> bool {
        self.decoded
    }

    fn report_once(&mut self) -> bool {
        !std::mem::replace(&mut self.reported, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_of_failing_packets_are_reported_once() {
        let mut failures = DecodeFailures::default();
        let packet = Some(Length::samples(320));
        let reported: Vec<_> = (0..300).filter(|_| failures.failed(packet)).collect();
        assert_eq!(reported, [99]);
        assert!(!failures.end() && !failures.has_decoded());
        failures.decoded(Length::samples(320));
        assert_eq!(failures.packets(), 0);
        assert!((0..300).all(|_| !failures.failed(packet)));
    }

    #[test]
    fn a_short_stream_without_decoded_packets_is_reported_at_its_end() {
        let mut failures = DecodeFailures::default();
        assert!(!failures.end());
        failures.failed(None);
        assert!(failures.end());
        assert!(!failures.end());
    }

    #[test]
    fn occasional_damage_is_not_reported() {
        let (mut failures, packet) = (DecodeFailures::default(), Length::samples(960));
        for index in 0..1000 {
            if index % 5 == 0 {
                assert!(!failures.failed(Some(packet)));
            } else {
                failures.decoded(packet);
            }
        }
    }

    #[test]
    fn occasionally_decodable_bytes_are_reported() {
        let (mut failures, packet) = (DecodeFailures::default(), Length::samples(320));
        let reported = (0..250).find(|index| {
            if index % 2 == 0 {
                return failures.failed(Some(packet));
            }
            failures.decoded(packet);
            false
        });
        // 5 s are 250 packets.
        assert!(reported.is_none());
        let reported = (250..300).any(|index| index % 2 == 0 && failures.failed(Some(packet)));
        assert!(reported);
    }
}
