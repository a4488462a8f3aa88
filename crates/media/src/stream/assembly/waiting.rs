//! Packets that wait, over the end of a fragment if need be: what is said of a fragment comes out
//! behind its last sample.

use super::super::deferred::Packet as Deferred;
use super::{Assembly, Closing, Placing};
use crate::FragmentAudio;
use crate::mkv::AwsTags;
use crate::timeline::{Missing, Verdict};

impl Assembly {
    /// Lets out what waits, as far as its stamps allow; `last` when nothing follows.
    pub(super) fn judge(&mut self, last: bool) {
        while !self.deferred.is_empty() {
            let (waiting, head) = self.deferred.waiting(&self.timeline);
            match self.timeline.judge(waiting, head, last) {
                Verdict::Wait => break,
                Verdict::InLine(packets) => {
                    self.counters.outlying_packets += packets.saturating_sub(1) as u64;
                    (0..packets).for_each(|_| self.place_first(Missing::Nothing, false));
                }
                Verdict::Late(missing) => self.place_first(missing, head),
            }
        }
        if !self.deferred.front_has_ended() {
            self.close();
        }
    }

    /// Nothing that follows has a say in where those belong that wait.
    pub(super) fn settle(&mut self) {
        self.judge(true);
    }

    /// `head`: its stamp is believed, and it is the first of its Cluster, where clocks are set.
    fn place_first(&mut self, missing: Missing, head: bool) {
        let ended = self.deferred.front_has_ended();
        if !ended {
            self.close();
        }
        let Some((packet, data, range)) = self.deferred.pop() else { return };
        let Deferred { time, discard_padding, .. } = packet;
        let decoded = data.get(range).zip(self.audio.decoder());
        if let Some(packet) = decoded.and_then(|(data, decoder)| decoder.packet(data)) {
            self.place(packet, Placing { time, missing, head, ended, discard_padding });
        }
        self.deferred.reuse(data);
    }

    /// The current fragment is whole. Where packets of it wait, that is said behind them.
    pub(super) fn complete_fragment(&mut self, tags: &AwsTags) {
        if self.document.passed_over {
            return;
        }
        self.announce();
        if self.closing.is_some() {
            // A fragment between two that have packets waiting: shorter than any of KVS's.
            self.settle();
        }
        let Some(fragment) = self.document.fragment.take() else { return };
        self.document.completed = true;
        self.deferred.end_fragment();
        self.closing = Some(Closing {
            fragment,
            continuation_token: tags.continuation_token.clone().unwrap_or_default(),
            millis_behind_now: tags.millis_behind_now,
            first: self.document.first,
            audio: FragmentAudio {
                content: self.repeats.content().cloned(),
                repeated_samples: self.document.repeated_samples,
                excess_samples: self.document.excess_samples,
            },
        });
        if !self.deferred.front_has_ended() {
            self.close();
        }
    }

    /// The fragment that waits to be completed comes again.
    pub(super) fn reopen(&mut self) {
        self.deferred.forget();
        if let Some(closing) = self.closing.take() {
            self.timeline = closing.fragment.before;
        }
    }

    pub(super) fn closing_first(&mut self) -> Option<&mut Option<i64>> {
        self.closing.as_mut().map(|closing| &mut closing.first)
    }
}
