//! Blocks: from a packet and its stamp to samples at their position.

use super::super::budget::Allowance;
use super::super::emission::Run;
use super::{Assembly, Placing};
use crate::Output;
use crate::codec::{Decoder, Packet, Span};
use crate::mkv::Block;
use crate::timeline::{MediaTime, Missing, Placement, SAMPLE_NANOS, Timeline, Verdict, Waiting};

impl Assembly {
    pub(super) fn take_block(&mut self, block: Block<'_>) {
        if self.document.foreign {
            self.counters.skipped_blocks += 1;
            return;
        }
        if self.document.passed_over {
            self.counters.repeated_packets += 1;
            return;
        }
        if self.document.session_ms.is_none() {
            // A Cluster without Timestamp counts from 0.
            self.begin_cluster(0, block.scale);
        }
        if !self.selection.takes(block.track) {
            self.counters.skipped_blocks += 1;
            return;
        }
        if block.lace == 0 {
            self.document.lace_nanos = 0;
        }
        let packet = self.remainder.first(self.audio.decoder(), block);
        self.take_packet(packet);
    }

    pub(super) fn take_packet(&mut self, block: Block<'_>) {
        let Some(packet) = self.audio.decoder().and_then(|decoder| decoder.packet(block.data))
        else {
            return self.lose_packet(block.data);
        };
        let length = packet.length();
        let stamp = self.stamp(block.ticks, block.scale);
        let mut time = self.sound_time(stamp, packet.latency());
        self.document.lace_nanos = self.document.lace_nanos.saturating_add(length.nanos());
        if self.timeline.origin_ms().is_none() {
            let pre_skip = self.document.track.pre_skip;
            self.timeline.start_at(time, pre_skip, length.rate, packet.latency());
        }
        self.announce();
        let numbered = self.document.fragment.is_some();
        match if numbered {
            self.document.budget.take(stamp, length.nanos())
        } else {
            Allowance::Within
        } {
            Allowance::Within => {}
            Allowance::WrongStamp => {
                time = self.timeline.clock_at(self.timeline.next() + self.deferred.samples());
            }
            Allowance::Exceeded(first) => return self.exceed(length.in_samples(), first),
        }
        // Also that of a repeat: what follows it is not the first of its Cluster.
        let head = self.timeline.take_head();
        if self.repeats.is_repeat(stamp.to_ms(), block.data, length.nanos()) {
            let samples = length.in_samples().unsigned_abs();
            self.counters.repeated_samples += samples;
            self.document.repeated_samples += samples;
            return;
        }
        let lateness = self.timeline.lateness(time, 0);
        if self.failing.packets() > 0 {
            // Packets were there, and failed: the stamp of this one tells how long they were.
            let missing = self.timeline.damaged(self.failing.packets(), lateness, length);
            return self.place(
                packet,
                Placing { missing, ..Placing::in_line(time, block.discard_padding, head) },
            );
        }
        if self.deferred.is_empty() && self.timeline.is_in_line(lateness, length, head) {
            return self.place(packet, Placing::in_line(time, block.discard_padding, head));
        }
        let begins_block = self.document.lace_nanos <= length.nanos();
        if !self.deferred.takes(block.data, length) {
            self.settle();
        }
        if self.deferred.takes(block.data, length) {
            self.deferred.push(&block, length, time, head, begins_block);
            return self.judge(false);
        }
        // Too long to wait: what can be told of it alone has to do.
        let lateness = self.timeline.lateness(time, 0);
        let waiting = [Waiting { lateness, length, begins_block }];
        let (missing, head) = match self.timeline.judge(&waiting, head, true) {
            Verdict::Late(missing) => (missing, head),
            _ => (Missing::Nothing, false),
        };
        self.place(
            packet,
            Placing { missing, ..Placing::in_line(time, block.discard_padding, head) },
        );
    }

    /// A packet is none of the codec: how long it was, the stamp of the next one tells.
    fn lose_packet(&mut self, data: &[u8]) {
        self.settle();
        let length = self.ending.likely_length();
        if let Some(length) = length {
            // What follows in the lace has no other clock.
            self.document.lace_nanos = self.document.lace_nanos.saturating_add(length.nanos());
        }
        self.note_damage(data, length);
        let refused = self.audio.decoder().and_then(Decoder::missing_parameters);
        if let Some((codec_id, reason)) = refused.and_then(|reason| self.audio.noticed(reason)) {
            self.refuse(codec_id, reason);
        }
    }

    /// The fragment claims more audio than it can hold.
    fn exceed(&mut self, samples: i64, first: bool) {
        self.counters.excess_samples += samples.unsigned_abs();
        self.document.excess_samples += samples.unsigned_abs();
        if let Some(fragment) = self.document.fragment.as_ref().filter(|_| first) {
            self.timeline.forget_stamps_since(&fragment.before);
            self.emission.say(Output::FragmentExceeded { number: fragment.number.clone() });
        }
    }

    pub(super) fn place(&mut self, packet: Packet<'_>, placing: Placing) {
        self.reach(placing.ended);
        let unplaced = self.timeline.clone();
        let before = self.timeline.next();
        let Placing { time, missing, head, ended, discard_padding } = placing;
        let (placed, reanchored) = self.timeline.place(time, packet.length(), missing, head, ended);
        let first = if ended { self.closing_first() } else { Some(&mut self.document.first) };
        first.map(|first| first.get_or_insert(placed.start));
        if self.emission.is_out(self.timeline.next(), placed.len) {
            self.counters.repeated_packets += 1;
            return;
        }
        let makes_up = placed.fill + placed.gap > 0;
        let unsure = makes_up && (!self.failing.has_decoded() || self.failing.packets() > 0);
        if unsure && !self.audio.can_decode(packet) {
            return self.unplace(unplaced, packet);
        }
        self.counters.reanchors += u64::from(reanchored);
        self.emission.release_withheld(&mut self.counters);
        let ahead = self.make_up(before, placed, packet);
        if !self.decode(packet, placed, ahead, discard_padding) {
            self.unplace(unplaced, packet);
        }
    }

    /// A packet that was placed is damaged. As if it had not come, the next packet's stamp tells
    /// how much is missing.
    fn unplace(&mut self, unplaced: Timeline, packet: Packet<'_>) {
        self.timeline = unplaced;
        self.note_damage(packet.data(), Some(packet.length()));
    }

    /// Skips or fills what is missing before a packet. Returns how many samples of the fill stand
    /// at the buffer's end, to come out with the packet.
    fn make_up(&mut self, from: i64, placed: Placement, packet: Packet<'_>) -> i64 {
        let time = self.timeline.clock_at(from);
        if placed.gap > 0 {
            self.skip(from, placed.gap, time, packet.latency());
        }
        if placed.fill == 0 {
            return 0;
        }
        self.fill(from, placed.fill as usize, time, Some(packet)) as i64
    }

    /// Decodes a packet behind `ahead` samples of fill; `false` when it is damaged, and nothing
    /// comes out.
    fn decode(
        &mut self,
        packet: Packet<'_>,
        placed: Placement,
        ahead: i64,
        discard_padding: i64,
    ) -> bool {
        let time = self.timeline.clock_at(placed.start - ahead);
        let Some(decoder) = self.audio.decoder_mut() else { return false };
        let pcm = self.emission.buffer();
        let from = pcm.len() - ahead as usize;
        let span = Span { samples: placed.len as usize, fraction: placed.fraction };
        if !decoder.decode(packet, span, pcm) {
            pcm.truncate(from);
            return false;
        }
        let padding = self.ending.decoded(packet, discard_padding);
        let reduced = decoder.found_partly_decoded();
        self.counters.packets += 1;
        self.failing.decoded(packet.length());
        let run = Run { from, start: placed.start - ahead, filled: ahead as usize, time, padding };
        self.emission.emit(run, &mut self.counters);
        if let Some((codec_id, reason)) = reduced.and_then(|reason| self.audio.noticed(reason)) {
            self.counters.reduced_codecs += 1;
            self.emission.say(Output::ReducedCodec { codec_id, reason });
        }
        true
    }

    /// Makes up `samples` of lost time from `start` on, which the producer's clock puts at `time`,
    /// before `next` if something follows. Returns how many of them stand at the buffer's end
    /// still, to come out with what follows.
    pub(super) fn fill(
        &mut self,
        start: i64,
        samples: usize,
        time: MediaTime,
        next: Option<Packet<'_>>,
    ) -> usize {
        let Some(decoder) = self.audio.decoder_mut() else { return 0 };
        let plan = decoder.plan_concealment(samples, next);
        let pcm = self.emission.buffer();
        let from = pcm.len();
        decoder.conceal(plan.concealed, pcm);
        let in_pieces = plan.silence > 0 || next.is_none();
        if in_pieces {
            let run = Run { from, start, filled: plan.concealed, time, padding: 0 };
            self.emission.emit(run, &mut self.counters);
            let concealed = plan.concealed as i64;
            let time = time.plus_nanos(concealed * SAMPLE_NANOS);
            self.emission.silence(start + concealed, plan.silence, time, &mut self.counters);
        }
        let Some((decoder, next)) = self.audio.decoder_mut().zip(next) else { return 0 };
        let pcm = self.emission.buffer();
        decoder.recover(plan.recovered, next, pcm);
        if in_pieces { plan.recovered } else { samples }
    }

    /// Skips `samples` from `start` on, which is at `time`. What the decoder still holds of the
    /// time before comes out first.
    fn skip(&mut self, start: i64, samples: i64, time: MediaTime, latency: u32) {
        // As long as it holds something back, or would had it heard anything: a resumed run goes
        // the same way.
        let held = i64::from(latency.max(self.audio.latency())).min(samples);
        if let Some(decoder) = self.audio.decoder_mut() {
            let pcm = self.emission.buffer();
            let from = pcm.len();
            decoder.conceal(held as usize, pcm);
            let run = Run { from, start, filled: held as usize, time, padding: 0 };
            self.emission.emit(run, &mut self.counters);
        }
        self.emission.gap(start + held, samples - held, &mut self.counters);
    }

    /// Producer clock that the next packet of a block claims. The frames of a lace and packets in a
    /// row follow each other; blocks of one stamp are as good as any others.
    fn stamp(&self, ticks: i64, scale: u64) -> MediaTime {
        MediaTime::from_ms(self.document.session_ms.unwrap_or(0))
            .plus(MediaTime::from_ticks(ticks, scale))
            .plus_nanos(self.document.lace_nanos)
    }

    /// Producer clock at the first sample that comes out for a packet with that stamp, `latency`
    /// samples late.
    fn sound_time(&self, stamp: MediaTime, latency: u32) -> MediaTime {
        let latency = i64::from(latency) * SAMPLE_NANOS;
        stamp.plus_nanos(-self.document.track.delay.saturating_add(latency))
    }
}

impl Placing {
    fn in_line(time: MediaTime, discard_padding: i64, head: bool) -> Self {
        Self { time, missing: Missing::Nothing, head, ended: false, discard_padding }
    }
}
