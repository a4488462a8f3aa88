//! The end of a session: what is still held comes out.

use super::super::emission::{Run, SAMPLE_NANOS};
use super::super::ending::Tail;
use super::Assembly;
use crate::timeline::MediaTime;

impl Assembly {
    /// Nothing follows: lets out what the decoder still holds, without the padding in it, and conceals the
    /// packets of which nobody will say any more how long they were.
    pub(in crate::stream) fn flush(&mut self) {
        if !self.emission.has_output() {
            self.emission.begin();
        }
        self.settle(None);
        let Tail { held, lost } = self.ending.tail(self.audio.latency());
        if lost > 0 {
            // Something followed the padding after all.
            self.emission.release_withheld(&mut self.counters);
        }
        let Some(origin_ms) = self.timeline.origin_ms() else { return };
        let at = |start: i64| MediaTime::from_ms(origin_ms).plus_nanos(start * SAMPLE_NANOS);
        let Some(decoder) = self.audio.decoder_mut() else { return };
        let start = self.timeline.next();
        let pcm = self.emission.buffer();
        let from = pcm.len();
        decoder.conceal(held as usize, pcm);
        let run = Run { from, start, filled: 0, time: at(start), padding: 0 };
        self.emission.emit(run, &mut self.counters);
        let lost_from = start + i64::from(held);
        self.fill(lost_from, lost as usize, at(lost_from), None);
        self.timeline.pass(held + lost);
    }
}
