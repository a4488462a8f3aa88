//! The place of RTP time stamps on the timeline of a storage session.
//!
//! The first packet of a track is placed at its arrival, and the packets after it by their RTP
//! time. The audio keeps this offset for the whole session, so that no sample is moved. Once both
//! tracks have a sender report, which states the sender's clock for an RTP time, the video is
//! placed relative to the audio by that clock. Chromium sends the first report some 2.5 s after the
//! first packet.

use super::session_time::SessionTime;

/// The RTP clock of Opus, Hz.
const AUDIO_HZ: i64 = 48_000;
/// The RTP clock of H.264, Hz.
const VIDEO_HZ: i64 = 90_000;

/// A larger distance between the RTP time and the arrival is not delay: the sender has started a
/// new RTP time. A network that stalls and recovers stays below it.
const MAX_DELAY: SessionTime = SessionTime::ms(20_000);

/// A larger correction by sender reports is not plausible: the reports of the two tracks are not
/// from one clock.
const MAX_SKEW: SessionTime = SessionTime::ms(5000);

/// The sender's clock for an RTP time (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SenderReport {
    /// The RTP time.
    pub(super) rtp: u32,
    /// The sender's clock, µs since the Unix epoch.
    pub(super) ntp_us: i64,
}

/// The RTP time of a packet, with its arrival and the latest sender report of its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RtpStamp {
    /// RTP time without wraps.
    pub(super) rtp: i64,
    /// When the packet was received.
    pub(super) arrived: SessionTime,
    /// The latest report.
    pub(super) report: Option<SenderReport>,
}

/// The clocks of both tracks.
#[derive(Debug, Default)]
pub(super) struct MediaClock {
    audio: Option<Anchor>,
    audio_report: Option<SenderReport>,
    video: Option<Anchor>,
}

/// An RTP time with its place.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    rtp: i64,
    time: SessionTime,
}

impl MediaClock {
    /// Returns the time of an audio packet.
    pub(super) fn audio(&mut self, stamp: &RtpStamp) -> SessionTime {
        self.audio_report = stamp.report.or(self.audio_report);
        placed(&mut self.audio, stamp, AUDIO_HZ)
    }

    /// Returns the time of a video frame.
    pub(super) fn video(&mut self, stamp: &RtpStamp) -> SessionTime {
        let by_arrival = placed(&mut self.video, stamp, VIDEO_HZ);
        self.by_reports(stamp)
            .filter(|by_reports| (*by_reports - by_arrival).abs() < MAX_SKEW)
            .unwrap_or(by_arrival)
    }

    /// Returns the time of a video frame by the sender reports of both tracks.
    fn by_reports(&self, stamp: &RtpStamp) -> Option<SessionTime> {
        let (audio, audio_report, video_report) = (self.audio?, self.audio_report?, stamp.report?);
        let audio_at = audio.time + since(audio_report.rtp, audio.rtp, AUDIO_HZ);
        let clock_us = video_report.ntp_us - audio_report.ntp_us;
        let frame = SessionTime::ticks(0, VIDEO_HZ) - since(video_report.rtp, stamp.rtp, VIDEO_HZ);
        Some(audio_at + SessionTime::us(clock_us) + frame)
    }
}

/// Returns the time of a stamp by the track's anchor, which is set if there is none that fits.
fn placed(anchor: &mut Option<Anchor>, stamp: &RtpStamp, rate: i64) -> SessionTime {
    if let Some(anchor) = anchor {
        let time = anchor.time + SessionTime::ticks(stamp.rtp - anchor.rtp, rate);
        if (time - stamp.arrived).abs() <= MAX_DELAY {
            return time;
        }
    }
    *anchor = Some(Anchor { rtp: stamp.rtp, time: stamp.arrived });
    stamp.arrived
}

/// Returns the time from `rtp` to a report's RTP time, which has 32 bits and can be earlier.
fn since(report_rtp: u32, rtp: i64, rate: i64) -> SessionTime {
    let low = rtp.rem_euclid(1 << 32) as u32;
    SessionTime::ticks(i64::from(report_rtp.wrapping_sub(low) as i32), rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: i64 = 1_000_000;

    fn stamp(rtp: i64, arrived_ms: i64, report: Option<(u32, i64)>) -> RtpStamp {
        let report = report.map(|(rtp, ntp_us)| SenderReport { rtp, ntp_us });
        RtpStamp { rtp, arrived: SessionTime::ms(arrived_ms), report }
    }

    #[test]
    fn packets_are_placed_by_rtp_time_and_the_first_by_its_arrival() {
        let mut clock = MediaClock::default();
        assert_eq!(clock.audio(&stamp(5000, 100, None)).as_ms(), 100);
        assert_eq!(clock.audio(&stamp(5000 + 960, 190, None)).as_ms(), 120);
        assert_eq!(clock.audio(&stamp(5000 + 960 * 50, 1090, None)).as_ms(), 1100);
        assert_eq!(clock.video(&stamp(7, 150, None)).as_ms(), 150);
        assert_eq!(clock.video(&stamp(7 + 90_000, 1190, None)).as_ms(), 1150);
    }

    #[test]
    fn sender_reports_join_the_tracks_and_leave_the_audio_in_place() {
        let mut clock = MediaClock::default();
        // Spoken at 10.0 s of the sender's clock, arrives at 100 ms; filmed at the same moment, but
        // arrives 80 ms later.
        assert_eq!(clock.audio(&stamp(0, 100, None)).as_ms(), 100);
        assert_eq!(clock.video(&stamp(90_000, 180, None)).as_ms(), 180);
        let audio_report = Some((48_000 * 3, 13 * SECOND_US));
        let video_report = Some((90_000 * 3, 12 * SECOND_US));
        let audio = clock.audio(&stamp(48_000 * 3, 3170, audio_report));
        assert_eq!(audio.as_ms(), 3100, "the offset of the first packet is kept");
        let video = clock.video(&stamp(90_000 * 4, 3180, video_report));
        assert_eq!(video.as_ms(), 3100, "filmed when this was spoken");
    }

    #[test]
    fn a_report_from_another_clock_is_ignored() {
        let mut clock = MediaClock::default();
        clock.audio(&stamp(0, 0, Some((0, 0))));
        let video = clock.video(&stamp(0, 40, Some((0, 3600 * SECOND_US))));
        assert_eq!(video.as_ms(), 40);
    }

    #[test]
    fn reports_are_compared_across_a_wrap_of_the_rtp_time() {
        let mut clock = MediaClock::default();
        let wrap = 1 << 32;
        clock.audio(&stamp(wrap - 48_000, 0, Some((48_000, 2 * SECOND_US))));
        let video = clock.video(&stamp(0, 1080, Some((0, SECOND_US))));
        assert_eq!(video.as_ms(), 1000);
    }

    #[test]
    fn a_new_rtp_time_is_placed_at_its_arrival() {
        let mut clock = MediaClock::default();
        clock.audio(&stamp(0, 0, None));
        assert_eq!(clock.audio(&stamp(1 << 40, 5000, None)).as_ms(), 5000);
        assert_eq!(clock.audio(&stamp((1 << 40) + 960, 5001, None)).as_ms(), 5020);
    }
}
