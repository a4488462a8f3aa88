//! Blocks: decodes packets and places their samples by stamp and sample count.

use super::super::budget::Allowance;
use super::super::output_queue::SampleRun;
use super::{Pipeline, Placing};
use crate::Output;
use crate::codec::{Decoder, Packet, Span};
use crate::mkv::Block;
use crate::timeline::{
    DeferredStamp, MediaTime, Missing, Placement, SAMPLE_NANOS, Timeline, Verdict,
};

impl Pipeline {
    pub(super) fn take_block(&mut self, block: Block<'_>) {
        if self.document.foreign {
            self.counters.skipped_blocks += 1;
            return;
        }
        if self.document.skipped {
            self.counters.repeated_packets += 1;
            return;
        }
        if self.document.session_ms.is_none() {
            // A Cluster without Timestamp starts at 0.
            self.begin_cluster(0, block.scale);
        }
        if !self.selection.takes(block.track) {
            self.counters.skipped_blocks += 1;
            return;
        }
        if block.lace == 0 {
            self.document.lace_nanos = 0;
        }
        let packet = self.splitter.first(self.audio.decoder(), block);
        self.take_packet(packet);
    }

    pub(super) fn take_packet(&mut self, block: Block<'_>) {
        let Some(packet) = self.audio.decoder().and_then(|decoder| decoder.packet(block.data))
        else {
            return self.reject_packet(block.data);
        };
        let length = packet.length();
        let stamp = self.stamp(block.ticks, block.scale);
        let mut time = self.output_time(stamp, packet.latency());
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
        // Before the check for repeats: the packet after a repeat is not the first of its Cluster.
        let head = self.timeline.take_head();
        if self.repeats.is_repeat(stamp.to_ms(), block.data, length.nanos()) {
            let samples = length.in_samples().unsigned_abs();
            self.counters.repeated_samples += samples;
            self.document.repeated_samples += samples;
            return;
        }
        let lateness = self.timeline.lateness(time, 0);
        if self.failures.packets() > 0 {
            // The stamp of this packet determines the duration of the damaged ones before it.
            let missing = self.timeline.damaged(self.failures.packets(), lateness, length);
            return self.place(
                packet,
                Placing { missing, ..Placing::contiguous(time, block.discard_padding, head) },
            );
        }
        if self.deferred.is_empty() && self.timeline.is_contiguous(lateness, length, head) {
            return self.place(packet, Placing::contiguous(time, block.discard_padding, head));
        }
        let begins_block = self.document.lace_nanos <= length.nanos();
        if !self.deferred.accepts(block.data, length) {
            self.settle();
        }
        if self.deferred.accepts(block.data, length) {
            self.deferred.push(&block, length, time, head, begins_block);
            return self.judge(false);
        }
        // The packet is too long to be deferred, so its own stamp decides.
        let lateness = self.timeline.lateness(time, 0);
        let waiting = [DeferredStamp { lateness, length, begins_block }];
        let (missing, head) = match self.timeline.judge(&waiting, head, true) {
            Verdict::Late(missing) => (missing, head),
            _ => (Missing::Nothing, false),
        };
        self.place(
            packet,
            Placing { missing, ..Placing::contiguous(time, block.discard_padding, head) },
        );
    }

    /// Counts a packet that is not of the codec. The stamp of the next packet determines its
    /// duration.
    fn reject_packet(&mut self, data: &[u8]) {
        self.settle();
        let length = self.last_packet.likely_length();
        if let Some(length) = length {
            // The other packets of the lace have no stamps of their own.
            self.document.lace_nanos = self.document.lace_nanos.saturating_add(length.nanos());
        }
        self.note_damage(data, length);
        let refused = self.audio.decoder().and_then(Decoder::missing_parameters);
        if let Some((codec_id, reason)) =
            refused.and_then(|reason| self.audio.report_from_decoder(reason))
        {
            self.report_unsupported(codec_id, reason);
        }
    }

    /// Drops a packet beyond the fragment's budget; the first one is reported.
    fn exceed(&mut self, samples: i64, first: bool) {
        self.counters.excess_samples += samples.unsigned_abs();
        self.document.excess_samples += samples.unsigned_abs();
        if let Some(fragment) = self.document.fragment.as_ref().filter(|_| first) {
            self.timeline.forget_stamps_since(&fragment.before);
            self.outputs.push(Output::FragmentExceeded { number: fragment.number.clone() });
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
        if self.outputs.is_emitted(self.timeline.next(), placed.len) {
            self.counters.repeated_packets += 1;
            return;
        }
        let makes_up = placed.fill + placed.gap > 0;
        let uncertain = makes_up && (!self.failures.has_decoded() || self.failures.packets() > 0);
        if uncertain && !self.audio.can_decode(packet) {
            return self.undo_placement(unplaced, packet);
        }
        self.counters.reanchors += u64::from(reanchored);
        self.outputs.release_withheld(&mut self.counters);
        let ahead = self.make_up(before, placed, packet);
        if !self.decode(packet, placed, ahead, discard_padding) {
            self.undo_placement(unplaced, packet);
        }
    }

    /// Restores the timeline from before a packet that turned out to be damaged. The stamp of the
    /// next packet then determines the lost time.
    fn undo_placement(&mut self, unplaced: Timeline, packet: Packet<'_>) {
        self.timeline = unplaced;
        self.note_damage(packet.data(), Some(packet.length()));
    }

    /// Skips or fills the lost time before a packet. Returns the number of fill samples at the end
    /// of the buffer, which are emitted together with the packet.
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

    /// Decodes a packet after `ahead` samples of fill. Returns `false`, and emits nothing, if it is
    /// damaged.
    fn decode(
        &mut self,
        packet: Packet<'_>,
        placed: Placement,
        ahead: i64,
        discard_padding: i64,
    ) -> bool {
        let time = self.timeline.clock_at(placed.start - ahead);
        let Some(decoder) = self.audio.decoder_mut() else { return false };
        let pcm = self.outputs.buffer();
        let from = pcm.len() - ahead as usize;
        let span = Span { samples: placed.len as usize, fraction: placed.fraction };
        if !decoder.decode(packet, span, pcm) {
            pcm.truncate(from);
            return false;
        }
        let padding = self.last_packet.decoded(packet, discard_padding);
        let reduced = decoder.found_partly_decoded();
        self.counters.packets += 1;
        self.failures.decoded(packet.length());
        let run =
            SampleRun { from, start: placed.start - ahead, filled: ahead as usize, time, padding };
        self.outputs.push_run(run, &mut self.counters);
        if let Some((codec_id, reason)) =
            reduced.and_then(|reason| self.audio.report_from_decoder(reason))
        {
            self.counters.reduced_codecs += 1;
            self.outputs.push(Output::ReducedCodec { codec_id, reason });
        }
        true
    }

    /// Fills `samples` of lost time from position `start` on, where the producer's clock is `time`;
    /// `next` is the packet that follows. Returns the number of samples left at the end of the
    /// buffer, which are emitted together with that packet.
    pub(super) fn fill(
        &mut self,
        start: i64,
        samples: usize,
        time: MediaTime,
        next: Option<Packet<'_>>,
    ) -> usize {
        let Some(decoder) = self.audio.decoder_mut() else { return 0 };
        let plan = decoder.plan_concealment(samples, next);
        let pcm = self.outputs.buffer();
        let from = pcm.len();
        decoder.conceal(plan.concealed, pcm);
        let in_pieces = plan.silence > 0 || next.is_none();
        if in_pieces {
            let run = SampleRun { from, start, filled: plan.concealed, time, padding: 0 };
            self.outputs.push_run(run, &mut self.counters);
            let concealed = plan.concealed as i64;
            let time = time.plus_nanos(concealed * SAMPLE_NANOS);
            self.outputs.push_silence(start + concealed, plan.silence, time, &mut self.counters);
        }
        if plan.silence > 0
            && let Some(decoder) = self.audio.decoder_mut()
        {
            decoder.reset();
        }
        let Some((decoder, next)) = self.audio.decoder_mut().zip(next) else { return 0 };
        let pcm = self.outputs.buffer();
        decoder.recover(plan.recovered, next, pcm);
        if in_pieces { plan.recovered } else { samples }
    }

    /// Skips `samples` from `start` on, where the producer's clock is `time`. Samples that the
    /// decoder holds from the time before are emitted first.
    fn skip(&mut self, start: i64, samples: i64, time: MediaTime, latency: u32) {
        // The packet's latency counts even if the decoder is new: a resumed run emits the same.
        let held = i64::from(latency.max(self.audio.latency())).min(samples);
        if let Some(decoder) = self.audio.decoder_mut() {
            let pcm = self.outputs.buffer();
            let from = pcm.len();
            decoder.conceal(held as usize, pcm);
            decoder.reset();
            let run = SampleRun { from, start, filled: held as usize, time, padding: 0 };
            self.outputs.push_run(run, &mut self.counters);
        }
        self.outputs.push_gap(start + held, samples - held, &mut self.counters);
    }

    /// Returns the producer's clock according to the stamp of a block and the packets of it that
    /// precede this one.
    fn stamp(&self, ticks: i64, scale: u64) -> MediaTime {
        MediaTime::from_ms(self.document.session_ms.unwrap_or(0))
            .plus(MediaTime::from_ticks(ticks, scale))
            .plus_nanos(self.document.lace_nanos)
    }

    /// Returns the producer's clock at the first sample that a decoder with `latency` (in samples)
    /// emits for a packet with this stamp.
    fn output_time(&self, stamp: MediaTime, latency: u32) -> MediaTime {
        let latency = i64::from(latency) * SAMPLE_NANOS;
        stamp.plus_nanos(-self.document.track.delay.saturating_add(latency))
    }
}

impl Placing {
    fn contiguous(time: MediaTime, discard_padding: i64, head: bool) -> Self {
        Self { time, missing: Missing::Nothing, head, ended: false, discard_padding }
    }
}
