//! Blocks: from a packet and its time to samples at their position.

use super::super::emission::{Run, SAMPLE_NANOS};
use super::Assembly;
use crate::Output;
use crate::decoder::{Decoder, Packet, Span};
use crate::mkv::Block;
use crate::timeline::MediaTime;

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
        // Before the block is looked at: its codec's configuration may be another.
        self.settle_before(block.ticks, block.scale);
        let packet = self.remainder.first(self.audio.decoder(), block);
        self.take_packet(packet);
    }

    pub(super) fn take_packet(&mut self, block: Block<'_>) {
        let Some(packet) = self.audio.decoder().and_then(|decoder| decoder.packet(block.data))
        else {
            self.note_damage();
            let refused = self.audio.decoder().and_then(Decoder::refused);
            if let Some((codec_id, reason)) = refused.and_then(|reason| self.audio.noticed(reason))
            {
                self.refuse(codec_id, reason);
            }
            // What follows in the lace has no other clock.
            let nanos = self.ending.unknown();
            self.advance_lace(block.ticks, nanos);
            return;
        };
        let time = self.block_time(block.ticks, block.scale, packet.latency());
        self.advance_lace(block.ticks, packet.length().nanos());
        if self.timeline.origin_ms().is_none() {
            let (pre_skip, rate) = (self.document.track.pre_skip, packet.length().rate);
            self.timeline.start_at(time, pre_skip, rate, packet.latency());
        }
        self.announce();
        if let Some(fragment) = &self.document.fragment {
            self.progress.reached(&fragment.number, &fragment.before);
        }
        let length = packet.length();
        let doubtful = self.timeline.doubts(time) || !self.held.is_empty();
        if doubtful && self.held.takes(&block, length) {
            self.held.keep(&block, length, time);
            return;
        }
        // What is too long to be held is believed, and with it what it began with.
        self.settle(None);
        let packet = self.audio.decoder().and_then(|decoder| decoder.packet(block.data));
        if let Some(packet) = packet {
            self.place(packet, time, block.discard_padding, true);
        }
    }

    /// Places the block that is held, if there is one. The block at `next`, if there is one in its document,
    /// shows whether the held one was alone with its time. Where none follows in a fragment that is whole, it is
    /// believed: speech may begin again there.
    pub(super) fn settle(&mut self, next: Option<MediaTime>) {
        if self.held.is_empty() {
            return;
        }
        let nanos = self.held.nanos();
        let (data, packets) = self.held.release();
        let alone = next.is_some_and(|next| self.timeline.goes_on(next.plus_nanos(-nanos)));
        let mut rest = &data[..];
        for about in &packets {
            let (data, behind) = rest.split_at(about.len);
            rest = behind;
            if let Some(packet) = self.audio.decoder().and_then(|decoder| decoder.packet(data)) {
                self.place(packet, about.time, about.discard_padding, !alone);
            }
        }
        self.held.reuse((data, packets));
    }

    fn place(&mut self, packet: Packet<'_>, time: MediaTime, discard_padding: i64, believed: bool) {
        let before = self.timeline.next();
        let placed = if believed {
            self.timeline.place(time, packet.length())
        } else {
            self.timeline.place_astray(time, packet.length())
        };
        let time = time.plus_nanos(placed.astray.saturating_mul(-SAMPLE_NANOS));
        self.ending.placed();
        self.document.first.get_or_insert(placed.start);
        let end = self.timeline.next();
        if self.emission.is_out(end) {
            if placed.cut > 0 && end == before {
                self.counters.overlaps += 1;
            } else {
                self.counters.repeated_packets += 1;
            }
            return;
        }
        self.counters.reanchors += u64::from(placed.reanchored);
        self.counters.overlaps += u64::from(placed.cut > 0);
        self.counters.astray_blocks += u64::from(placed.astray != 0);
        self.emission.release_withheld(&mut self.counters);
        if placed.gap > 0 {
            self.skip(before, placed.gap, time, packet.latency());
        }
        let mut ahead = 0;
        if placed.fill > 0 {
            let begin = time.plus_nanos(-placed.fill * SAMPLE_NANOS);
            ahead = self.fill(before, placed.fill as usize, begin, Some(packet)) as i64;
        }
        let Some(decoder) = self.audio.decoder_mut() else { return };
        let pcm = self.emission.buffer();
        let from = pcm.len() + placed.cut as usize - ahead as usize;
        let span = Span { samples: placed.len as usize, fraction: placed.fraction };
        let decoded = decoder.decode(packet, span, pcm);
        let padding = self.ending.decoded(packet, discard_padding);
        let reduced = decoder.reduced();
        self.counters.packets += 1;
        let whole = pcm.len() - from;
        let run = Run {
            from,
            start: placed.start - ahead,
            filled: if decoded { ahead as usize } else { whole },
            time: time.plus_nanos((placed.cut - ahead) * SAMPLE_NANOS),
            padding,
        };
        self.emission.emit(run, &mut self.counters);
        if !decoded {
            self.note_damage();
        }
        if let Some((codec_id, reason)) = reduced.and_then(|reason| self.audio.noticed(reason)) {
            self.counters.reduced_codecs += 1;
            self.emission.say(Output::ReducedCodec { codec_id, reason });
        }
    }

    /// Makes up `samples` of lost time from `start` on, which the producer's clock puts at `time`, before `next` if
    /// something follows. Returns how many of them stand at the buffer's end still, to come out with what follows.
    pub(super) fn fill(
        &mut self,
        start: i64,
        samples: usize,
        time: MediaTime,
        next: Option<Packet<'_>>,
    ) -> usize {
        let Some(decoder) = self.audio.decoder_mut() else { return 0 };
        let lost = decoder.lost(samples, next);
        let pcm = self.emission.buffer();
        let from = pcm.len();
        decoder.conceal(lost.concealed, pcm);
        let in_pieces = lost.silence > 0 || next.is_none();
        if in_pieces {
            let run = Run { from, start, filled: lost.concealed, time, padding: 0 };
            self.emission.emit(run, &mut self.counters);
            let concealed = lost.concealed as i64;
            let time = time.plus_nanos(concealed * SAMPLE_NANOS);
            self.emission.silence(start + concealed, lost.silence, time, &mut self.counters);
        }
        let Some((decoder, next)) = self.audio.decoder_mut().zip(next) else { return 0 };
        let pcm = self.emission.buffer();
        decoder.recover(lost.recovered, next, pcm);
        if in_pieces { lost.recovered } else { samples }
    }

    /// Skips `samples` from `start` on, up to `time`. What the decoder still holds of the time before comes
    /// out first.
    fn skip(&mut self, start: i64, samples: i64, time: MediaTime, latency: u32) {
        // As long as it holds something back, or would had it heard anything: a resumed run goes the same way.
        let held = i64::from(latency.max(self.audio.latency())).min(samples);
        if let Some(decoder) = self.audio.decoder_mut() {
            let pcm = self.emission.buffer();
            let from = pcm.len();
            decoder.conceal(held as usize, pcm);
            let time = time.plus_nanos(-samples * SAMPLE_NANOS);
            let run = Run { from, start, filled: held as usize, time, padding: 0 };
            self.emission.emit(run, &mut self.counters);
        }
        self.emission.gap(start + held, samples - held, &mut self.counters);
    }

    /// Settles what is held before a packet of a block with this time is taken. What has the same time is part of the
    /// same block, or of one that knows no better, and bears nothing out.
    pub(super) fn settle_before(&mut self, ticks: i64, scale: u64) {
        if self.document.ticks == Some(ticks) {
            return;
        }
        let time = self.block_time(ticks, scale, self.audio.latency());
        self.settle(Some(time));
    }

    /// Producer clock at the first sample that comes out for the next packet of a block, `latency` samples late.
    /// A block with the time of the one before goes on where that ends, as a frame of a lace does: the
    /// producer collected them, or its ticks are coarser than its packets.
    fn block_time(&self, ticks: i64, scale: u64, latency: u32) -> MediaTime {
        let latency = i64::from(latency) * SAMPLE_NANOS;
        let lace = if self.document.ticks == Some(ticks) { self.document.lace_nanos } else { 0 };
        MediaTime::from_ms(self.document.session_ms.unwrap_or(0))
            .plus(MediaTime::from_ticks(ticks, scale))
            .plus_nanos(lace.saturating_sub(self.document.track.delay + latency))
    }

    fn advance_lace(&mut self, ticks: i64, nanos: i64) {
        if self.document.ticks.replace(ticks) != Some(ticks) {
            self.document.lace_nanos = 0;
        }
        self.document.lace_nanos = self.document.lace_nanos.saturating_add(nanos);
    }
}
