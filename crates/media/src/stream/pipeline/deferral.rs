//! Deferred packets. They may be placed after the end of their fragment: its completion is emitted
//! after its last sample.

use super::super::deferral_queue::DeferredBlock;
use super::{ClosingFragment, Pipeline, Placing};
use crate::FragmentAudio;
use crate::mkv::AwsTags;
use crate::timeline::{Missing, Verdict};

impl Pipeline {
    /// Places deferred packets as far as the stamps allow it; `last`: no packet follows.
    pub(super) fn judge(&mut self, last: bool) {
        while !self.deferred.is_empty() {
            let (waiting, head) = self.deferred.waiting(&self.timeline);
            match self.timeline.judge(waiting, head, last) {
                Verdict::Wait => break,
                Verdict::Contiguous(packets) => {
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

    /// Places all deferred packets without waiting for further ones.
    pub(super) fn settle(&mut self) {
        self.judge(true);
    }

    /// `head`: its stamp is trusted, and it is the first of its Cluster, so it can re-anchor.
    fn place_first(&mut self, missing: Missing, head: bool) {
        let ended = self.deferred.front_has_ended();
        if !ended {
            self.close();
        }
        let Some((packet, data, range)) = self.deferred.pop() else { return };
        let DeferredBlock { time, discard_padding, .. } = packet;
        let decoded = data.get(range).zip(self.audio.decoder());
        if let Some(packet) = decoded.and_then(|(data, decoder)| decoder.packet(data)) {
            self.place(packet, Placing { time, missing, head, ended, discard_padding });
        }
        self.deferred.reuse(data);
    }

    /// Completes the current fragment; if packets of it are deferred, after those.
    pub(super) fn complete_fragment(&mut self, tags: &AwsTags) {
        if self.document.skipped {
            return;
        }
        self.announce();
        if self.closing.is_some() {
            // Two fragments with deferred packets: the second is shorter than any of KVS.
            self.settle();
        }
        let Some(fragment) = self.document.fragment.take() else { return };
        self.document.completed = true;
        self.deferred.end_fragment();
        self.closing = Some(ClosingFragment {
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

    /// Discards the fragment that is not completed yet, because it is sent again.
    pub(super) fn reopen(&mut self) {
        self.deferred.discard();
        if let Some(closing) = self.closing.take() {
            self.timeline = closing.fragment.before;
        }
    }

    pub(super) fn closing_first(&mut self) -> Option<&mut Option<i64>> {
        self.closing.as_mut().map(|closing| &mut closing.first)
    }
}
