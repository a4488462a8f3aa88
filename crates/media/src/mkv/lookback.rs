//! Looking back after damage: where a connection was cut and the next document follows at once, the
//! element that was cut takes the beginning of that document for its own rest, and only the
//! elements behind it show it.
//!
//! So bytes are held beyond being walked over, but only from where a document may begin among them
//! (see [`resync`]): payload does not look like that, video passes by uncopied.

use super::parser::Parser;
use super::place::{self, Place};
use super::resync::{self, Search};
use super::{Event, limits};

impl Parser {
    /// Walks over `bytes`.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
        self.kept += bytes;
    }

    /// An element of a Segment or Cluster stands in its place.
    pub(super) fn confirm(&mut self) {
        let [.., last] = self.confirmed;
        if last != self.offset {
            self.confirmed.rotate_left(1);
            self.confirmed[limits::CONFIRMING - 1] = self.offset;
        }
    }

    /// A document begins here: no damage before is this one's.
    pub(super) fn confirm_all(&mut self) {
        self.confirmed = [self.offset + 1; limits::CONFIRMING];
    }

    /// How many of the bytes held before `at` damage may lie in. It depends on nothing but the
    /// stream's bytes, so that pieces change nothing.
    fn doubtful(&self) -> usize {
        let [first, ..] = self.confirmed;
        let since = usize::try_from(self.offset.saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.min(since).min(limits::MAX_KEPT)
    }

    /// The first document that begins among them.
    fn search_back(&self) -> (usize, Search) {
        let doubtful = self.doubtful();
        (doubtful, resync::search(&self.buffer[self.at - doubtful..], doubtful))
    }

    /// Keeps of what was walked over only what may have to be walked again.
    pub(super) fn let_go(&mut self) {
        if self.probing {
            self.kept = 0;
        } else if self.kept > 0 {
            let (doubtful, search) = self.search_back();
            self.kept = doubtful - search.place();
        }
    }

    /// How many of `bytes`, which are being passed over, need not even be copied.
    pub(super) fn passes_uncopied(&self, bytes: &[u8]) -> usize {
        let here = usize::try_from(self.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
        match here {
            0 => 0,
            _ => resync::search(&bytes[..here], here).place(),
        }
    }

    /// Whether `back` bytes may be walked once more. However often something looks like a document,
    /// a body is walked over a bounded number of times.
    fn affords(&mut self, back: usize) -> bool {
        let new = self.offset.saturating_sub(self.furthest);
        self.furthest = self.furthest.max(self.offset);
        let earned = new.saturating_mul(limits::WALKS);
        let saved = self.spent.saturating_sub(earned);
        let affordable = saved + back as u64 <= limits::MAX_WALKED_AGAIN;
        self.spent = saved + if affordable { back as u64 } else { 0 };
        affordable
    }

    /// Ends the damaged document and goes back to where the next one begins, if it does among the
    /// bytes held; `false` when that takes more bytes to tell.
    pub(super) fn look_back(&mut self) -> bool {
        let (doubtful, search) = self.search_back();
        let back = match search {
            Search::Found(at) => doubtful - at,
            Search::Undecided(at) if at < doubtful => return false,
            Search::Undecided(_) => 0,
        };
        let back = if self.affords(back) { back } else { 0 };
        self.at -= back;
        self.offset -= back as u64;
        self.kept = 0;
        self.damaged = false;
        let over = self.segment_is_over() && back == 0;
        self.end_document(over);
        self.masters.clear();
        self.group_block = None;
        self.lost = Some(0);
        true
    }

    /// Whether a fragment that began inside of what was just walked over goes on with `id` here:
    /// the end that a cut element promised may by chance be the end of an element of the next
    /// fragment. Its beginning, walked by itself, comes out right here then.
    pub(super) fn another_goes_on(&mut self, id: u32) -> bool {
        self.probe().is_some_and(|other| other.goes_on_with(id))
    }

    /// Whether a fragment began inside the bytes that were just walked over. Then an element that no
    /// muxer writes is more likely a piece of that fragment, and the one before was probably cut.
    pub(super) fn another_began(&mut self) -> bool {
        self.probe().is_some()
    }

    /// The first document that may begin in what was just walked over, walked by itself up to here,
    /// if it is undamaged and a later fragment than this one. Without a number of KVS's it may as
    /// well be payload: a producer's recording that holds a recording.
    fn probe(&mut self) -> Option<Self> {
        self.let_go();
        if self.kept == 0 || self.probing {
            return None;
        }
        let held = &self.buffer[self.at - self.kept..self.at];
        let first = resync::first_certain(held)?;
        let place = self.offset - (held.len() - first) as u64;
        if self.refuted == Some(place) {
            return None;
        }
        let walked = held.len() - first;
        if !self.affords(walked) {
            return None;
        }
        let held = &self.buffer[self.at - walked..self.at];
        let mut other = Self { probing: true, ..Self::default() };
        if !other.walks_unharmed(held) {
            self.refuted = Some(place);
            return None;
        }
        let number = other.tags.fragment_number.as_ref()?;
        let later = self.tags.fragment_number.as_ref().is_none_or(|ours| number > ours);
        later.then_some(other)
    }

    /// Walks over `bytes`; `false` when damage was met.
    fn walks_unharmed(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            bytes = self.push(bytes);
            while let Some(event) = self.poll() {
                if matches!(
                    event,
                    Event::Skipped { .. } | Event::DocumentEnd { complete: false, .. }
                ) {
                    return false;
                }
            }
        }
        !self.damaged && self.lost.is_none()
    }

    /// The parser stands between two elements of a document that is not whole yet, and `id` may
    /// come next.
    fn goes_on_with(&self, id: u32) -> bool {
        let between = self.at == self.buffer.len() && self.skip == 0;
        // A master of unknown size ends where an element of one further up stands.
        let unknown = self.masters.iter().rev().take_while(|master| master.end.is_none()).count();
        let mut open = self.masters.iter().rev().take(unknown + 1);
        let whole = self.document.ended;
        between && !whole && open.any(|open| place::of(id) == Place::In(open.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_walked_over_again_is_bounded_by_what_is_new() {
        let mut parser = Parser::new();
        let window = limits::MAX_KEPT;
        let mut again = 0;
        // Damage every 100 bytes, each with as much before it as is ever held.
        for offset in (0..8 * 1024 * 1024).step_by(100) {
            parser.offset = offset;
            again += if parser.affords(window) { window as u64 } else { 0 };
            assert!(again <= limits::MAX_WALKED_AGAIN + limits::WALKS * offset);
        }
        assert!(again > limits::MAX_WALKED_AGAIN);
    }
}
