//! One session: where its accepted audio goes, and the lines that were recognised.

use std::collections::VecDeque;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::PROCESSES;
use super::piece::Piece;
use super::words::{Line, State, Words};
use crate::lambda::SAMPLES_PER_MS;

/// The most lines that are kept; the oldest is dropped first.
const LINES: usize = 2000;

/// The input of a process.
pub(super) type Input = mpsc::Sender<Piece>;

/// A session's audio and words.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Position after the last sample that was accepted.
    next_sample: u64,
    /// The input of its process.
    input: Option<Input>,
    /// Processes that have not ended: a new one may start while another finishes.
    processes: u32,
    /// Whether any process was started.
    is_started: bool,
    is_ended: bool,
    failure: Option<String>,
    /// Whether there was no process for the last piece.
    is_refused: bool,
    missed_samples: u64,
    /// Each line with the version in which it was changed.
    lines: VecDeque<(u64, Line)>,
    next_line: u64,
    /// Counts the changes.
    version: u64,
}

impl Session {
    /// Returns the position after the last sample that was accepted.
    pub(super) fn next_sample(&self) -> u64 {
        self.next_sample
    }

    /// Sends a piece to the process, or starts one with `start`. A piece without a process, or
    /// whose process has a full queue, is counted as missed.
    pub(super) fn take(&mut self, piece: Piece, start: impl FnOnce(Piece) -> Option<Input>) {
        self.next_sample = piece.position + piece.count;
        let count = piece.count;
        let piece = match self.input.as_ref().map(|input| input.try_send(piece.clone())) {
            Some(Ok(())) => return,
            Some(Err(TrySendError::Full(_))) => return self.miss(count),
            Some(Err(TrySendError::Closed(piece))) => piece,
            None => piece,
        };
        if self.failure.is_some() {
            return self.miss(count);
        }
        self.input = start(piece);
        self.is_refused = self.input.is_none();
        if self.is_refused {
            return self.miss(count);
        }
        self.processes += 1;
        self.is_started = true;
        self.version += 1;
    }

    fn miss(&mut self, samples: u64) {
        self.missed_samples += samples;
        self.version += 1;
    }

    /// Ends the input: the session has no further audio.
    pub(super) fn end(&mut self) {
        self.input = None;
        self.is_ended = true;
        self.version += 1;
    }

    /// Adds a line, or replaces the last one if that is not final.
    pub(super) fn add_line(&mut self, mut line: Line) {
        self.version += 1;
        if self.lines.back().is_some_and(|(_, last)| !last.is_final) {
            self.lines.pop_back();
            self.next_line -= 1;
        }
        line.number = self.next_line;
        self.next_line += 1;
        self.lines.push_back((self.version, line));
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// Takes the outcome of a process that has ended.
    pub(super) fn process_ended(&mut self, outcome: Result<(), String>) {
        self.version += 1;
        self.processes -= 1;
        if let Err(reason) = outcome {
            self.input = None;
            self.failure = Some(reason);
        }
        if let Some((version, last)) = self.lines.back_mut().filter(|(_, last)| !last.is_final) {
            (*version, last.is_final) = (self.version, true);
        }
    }

    /// Returns all words.
    pub(super) fn words(&self) -> Words {
        self.words_since(0)
    }

    /// Returns the version, and the words with the lines changed since another; `None` if nothing
    /// has changed.
    pub(super) fn changes(&self, since: Option<u64>) -> Option<(u64, Words)> {
        let is_new = since != Some(self.version);
        is_new.then(|| (self.version, self.words_since(since.unwrap_or_default())))
    }

    fn words_since(&self, since: u64) -> Words {
        let lines = self.lines.iter().filter(|(version, _)| *version > since);
        let (state, reason) = self.state();
        Words {
            state,
            reason,
            missed_ms: self.missed_samples / SAMPLES_PER_MS,
            lines: lines.map(|(_, line)| line.clone()).collect(),
        }
    }

    fn state(&self) -> (State, Option<String>) {
        match &self.failure {
            Some(reason) => (State::Failed, Some(reason.clone())),
            None if self.is_refused => {
                let reason = format!("{PROCESSES} sessions are already being recognised");
                (State::Failed, Some(reason))
            }
            None if self.processes > 0 => (State::Running, None),
            None if self.is_ended => (State::Ended, None),
            // Its process has ended for want of audio; the next audio starts another.
            None if self.is_started => (State::Running, None),
            None => (State::Waiting, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(position: u64) -> Piece {
        Piece { position, count: 8000, skipped: 0, spoken_ms: 0, payload: Default::default() }
    }

    fn line(text: &str, is_final: bool) -> Line {
        let text = text.to_owned();
        Line { number: 0, start_ms: 0, end_ms: 0, spoken_at: 0, text, is_final }
    }

    fn texts(words: &Words) -> Vec<(u64, &str)> {
        words.lines.iter().map(|line| (line.number, line.text.as_str())).collect()
    }

    #[tokio::test]
    async fn audio_that_finds_a_full_queue_is_counted_and_left_out() {
        let (mut session, (sender, mut pieces)) = (Session::default(), mpsc::channel(1));
        session.take(piece(0), |_| Some(sender));
        session.take(piece(8000), |_| unreachable!("it has a process"));
        session.take(piece(16_000), |_| unreachable!("it has a process"));
        assert_eq!((session.words().missed_ms, session.next_sample()), (500, 24_000));
        assert_eq!(pieces.recv().await.unwrap().position, 8000);
    }

    #[test]
    fn a_session_without_a_process_is_recognised_from_when_there_is_one() {
        let (mut session, (sender, _pieces)) = (Session::default(), mpsc::channel(1));
        session.take(piece(0), |_| None);
        assert_eq!((session.words().state, session.words().missed_ms), (State::Failed, 500));
        session.take(piece(8000), |_| Some(sender));
        assert_eq!((session.words().state, session.words().reason), (State::Running, None));
    }

    #[test]
    fn after_a_failure_no_process_is_started_again() {
        let (mut session, (sender, pieces)) = (Session::default(), mpsc::channel(1));
        session.take(piece(0), |_| Some(sender));
        drop(pieces);
        session.process_ended(Err("it broke".to_owned()));
        session.take(piece(8000), |_| unreachable!("it has failed"));
        let words = session.words();
        assert_eq!((words.state, words.missed_ms), (State::Failed, 500));
        assert_eq!(words.reason.as_deref(), Some("it broke"));
    }

    #[test]
    fn a_pause_ends_the_process_and_not_the_recognition() {
        let (mut session, (first, second)) = (Session::default(), mpsc::channel(1));
        let (sender, pieces) = mpsc::channel(1);
        session.take(piece(0), |_| Some(sender));
        drop(pieces);
        session.process_ended(Ok(()));
        assert_eq!(session.words().state, State::Running);
        session.take(piece(8000), |_| Some(first));
        session.end();
        assert_eq!(session.words().state, State::Running);
        drop(second);
        session.process_ended(Ok(()));
        assert_eq!(session.words().state, State::Ended);
    }

    #[test]
    fn a_line_is_replaced_until_it_is_final_and_sent_when_it_has_changed() {
        let mut session = Session::default();
        assert_eq!(session.changes(None).unwrap().0, 0);
        session.add_line(line("good", false));
        session.add_line(line("good morning", true));
        let (version, words) = session.changes(Some(0)).unwrap();
        assert_eq!(texts(&words), [(0, "good morning")]);
        assert_eq!(session.changes(Some(version)), None);
        session.add_line(line("and", false));
        let (version, words) = session.changes(Some(version)).unwrap();
        assert_eq!(texts(&words), [(1, "and")]);
        // The last words of a process are final.
        session.processes = 1;
        session.process_ended(Ok(()));
        let (_, words) = session.changes(Some(version)).unwrap();
        assert_eq!((texts(&words), words.lines[0].is_final), (vec![(1, "and")], true));
        assert_eq!(texts(&session.words()).len(), 2);
    }

    #[test]
    fn the_oldest_lines_are_dropped() {
        let mut session = Session::default();
        (0..=LINES).for_each(|_| session.add_line(line("yes", true)));
        let words = session.words();
        assert_eq!((words.lines.len(), words.lines[0].number), (LINES, 1));
    }
}
