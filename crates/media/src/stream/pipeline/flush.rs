//! The end of a session: emits all samples that are still held.

use super::super::last_packet::Remaining;
use super::super::output_queue::SampleRun;
use super::Pipeline;
use crate::timeline::SAMPLE_NANOS;

impl Pipeline {
    /// Emits deferred packets and the samples that the decoder holds, without the padding in them,
    /// and conceals damaged packets at the end.
    pub(in crate::stream) fn flush(&mut self) {
        if !self.outputs.has_output() {
            self.outputs.clear_samples();
        }
        self.settle();
        if self.failures.end() {
            self.report_failures();
        }
        let damaged = self.last_packet.likely_length().map_or(0, |length| length.in_samples());
        let damaged = damaged * i64::from(self.failures.packets());
        let lost = if self.failures.has_decoded() { self.timeline.lost() + damaged } else { 0 };
        let Remaining { held, lost } = self.last_packet.take_remaining(self.audio.latency(), lost);
        if lost > 0 {
            // Packets followed the padding, so it is audio.
            self.outputs.release_withheld(&mut self.counters);
        }
        if self.timeline.origin_ms().is_none() {
            return;
        }
        let Some(decoder) = self.audio.decoder_mut() else { return };
        let start = self.timeline.next();
        let time = self.timeline.clock_at(start);
        let pcm = self.outputs.buffer();
        let from = pcm.len();
        decoder.conceal(held as usize, pcm);
        let run = SampleRun { from, start, filled: 0, time, padding: 0 };
        self.outputs.push_run(run, &mut self.counters);
        let lost_from = start + i64::from(held);
        let time = time.plus_nanos(i64::from(held) * SAMPLE_NANOS);
        self.fill(lost_from, lost as usize, time, None);
        self.timeline.pass(i64::from(held + lost));
    }
}
