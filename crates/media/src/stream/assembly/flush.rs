//! The end of a session: what is still held comes out.

use super::super::emission::Run;
use super::super::ending::Tail;
use super::Assembly;
use crate::timeline::SAMPLE_NANOS;

impl Assembly {
    /// Nothing follows: lets out what waits and what the decoder still holds, without the padding
    /// in it, and conceals damaged packets at the very end.
    pub(in crate::stream) fn flush(&mut self) {
        if !self.emission.has_output() {
            self.emission.begin();
        }
        self.settle();
        if self.failing.ends() {
            self.refuse_failing();
        }
        let damaged = self.ending.likely_length().map_or(0, |length| length.in_samples());
        let damaged = damaged * i64::from(self.failing.packets());
        let lost = if self.failing.has_decoded() { self.timeline.lost() + damaged } else { 0 };
        let Tail { held, lost } = self.ending.tail(self.audio.latency(), lost);
        if lost > 0 {
            // Something followed the padding after all.
            self.emission.release_withheld(&mut self.counters);
        }
        if self.timeline.origin_ms().is_none() {
            return;
        }
        let Some(decoder) = self.audio.decoder_mut() else { return };
        let start = self.timeline.next();
        let time = self.timeline.clock_at(start);
        let pcm = self.emission.buffer();
        let from = pcm.len();
        decoder.conceal(held as usize, pcm);
        let run = Run { from, start, filled: 0, time, padding: 0 };
        self.emission.emit(run, &mut self.counters);
        let lost_from = start + i64::from(held);
        let time = time.plus_nanos(i64::from(held) * SAMPLE_NANOS);
        self.fill(lost_from, lost as usize, time, None);
        self.timeline.pass(i64::from(held + lost));
    }
}
