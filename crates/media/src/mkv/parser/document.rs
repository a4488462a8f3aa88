//! What is known of the current document.

use super::super::vint::Widths;

/// How far a document has come. A fragment of KVS passes through all phases, a recorded file ends
/// in [`Phase::Segment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Phase {
    /// No document is open.
    #[default]
    Closed,
    /// Its EBML header was read; the Segment is expected.
    Header,
    /// Its Segment began.
    Segment,
    /// Its fragment number was reported.
    Named,
    /// Its trailing AWS tags were reported; the next document is expected.
    Complete,
}

/// The current document.
#[derive(Debug)]
pub(super) struct Document {
    phase: Phase,
    start: u64,
    widths: Widths,
    /// Nanoseconds in a tick.
    pub(super) scale: u64,
    /// Time of the current Cluster, in ticks.
    pub(super) cluster_ticks: i64,
    error_reported: bool,
    mime_type_reported: bool,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            phase: Phase::Closed,
            start: 0,
            widths: Widths::DEFAULT,
            scale: 1_000_000,
            cluster_ticks: 0,
            error_reported: false,
            mime_type_reported: false,
        }
    }
}

impl Document {
    /// A document whose EBML header begins at `start` and allows these widths.
    pub(super) fn begin(start: u64, widths: Widths) -> Self {
        Self { phase: Phase::Header, start, widths, ..Self::default() }
    }

    /// Returns how far it has come.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns whether one is open.
    pub(super) fn is_open(&self) -> bool {
        self.phase != Phase::Closed
    }

    /// Returns whether its Segment began.
    pub(super) fn has_segment(&self) -> bool {
        self.phase >= Phase::Segment
    }

    /// Returns the offset of its EBML header.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Returns how long its ids and sizes may be.
    pub(super) fn widths(&self) -> Widths {
        self.widths
    }

    /// Moves on to `phase`; `false` if it has come as far already.
    pub(super) fn advance(&mut self, phase: Phase) -> bool {
        let later = self.phase < phase;
        if later {
            self.phase = phase;
        }
        later
    }

    /// Closes it; returns the phase that it had reached.
    pub(super) fn close(&mut self) -> Phase {
        std::mem::take(&mut self.phase)
    }

    /// Returns `true` once: when an error of KVS is first to be reported.
    pub(super) fn report_error(&mut self) -> bool {
        !std::mem::replace(&mut self.error_reported, true)
    }

    /// Returns `true` once: when the MimeType tag is first to be reported.
    pub(super) fn report_mime_type(&mut self) -> bool {
        !std::mem::replace(&mut self.mime_type_reported, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_only_moves_forward_and_reports_each_phase_once() {
        let mut document = Document::begin(7, Widths::DEFAULT);
        assert!(document.is_open() && !document.has_segment());
        assert!(document.advance(Phase::Segment) && document.advance(Phase::Named));
        assert!(!document.advance(Phase::Named) && !document.advance(Phase::Segment));
        assert!(document.advance(Phase::Complete));
        assert_eq!(document.close(), Phase::Complete);
        assert!(!document.is_open());
    }
}
