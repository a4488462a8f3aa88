//! The masters that are open, from the Segment inwards.

use super::super::limits;
use super::super::schema::{Element, Kind, Parent};

/// An open master.
#[derive(Debug, Clone, Copy)]
pub(super) struct Master {
    pub(super) element: Element,
    /// Offset at which it ends; `None` if its size is unknown.
    pub(super) end: Option<u64>,
    /// Offset that no child may pass: the nearest known end around it.
    pub(super) limit: u64,
}

/// Where an element stands, relative to the innermost master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nesting {
    /// In the innermost master.
    Inside,
    /// In a master further out, or outside all: the innermost one is over.
    Outside,
    /// In a master that is not open.
    Misplaced,
}

/// The stack of open masters.
#[derive(Debug, Default)]
pub(super) struct Masters(Vec<Master>);

impl Masters {
    /// Returns the innermost master.
    pub(super) fn innermost(&self) -> Option<Master> {
        self.0.last().copied()
    }

    /// Returns whether the innermost master is `element`.
    pub(super) fn in_a(&self, element: Element) -> bool {
        self.innermost().is_some_and(|master| master.element == element)
    }

    /// Returns whether no master is open.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the body may end here: every open master has unknown size.
    pub(super) fn may_end(&self) -> bool {
        self.0.iter().all(|master| master.end.is_none())
    }

    /// Opens a master; `false` if too many are open.
    pub(super) fn open(&mut self, element: Element, end: Option<u64>) -> bool {
        if self.0.len() == limits::MAX_DEPTH {
            return false;
        }
        let limit = end.or(self.innermost().map(|parent| parent.limit)).unwrap_or(u64::MAX);
        self.0.push(Master { element, end, limit });
        true
    }

    /// Closes the innermost master.
    pub(super) fn close(&mut self) -> Option<Element> {
        self.0.pop().map(|master| master.element)
    }

    /// Closes all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns where `element` stands relative to `innermost`.
    pub(super) fn nesting(&self, element: Element, innermost: Master) -> Nesting {
        match element.parent() {
            Parent::Any => Nesting::Inside,
            Parent::Root => Nesting::Outside,
            Parent::In(parent) if stands_in(parent, innermost) => Nesting::Inside,
            Parent::In(parent) if self.0.iter().any(|open| open.element == parent) => {
                Nesting::Outside
            }
            Parent::In(_) => Nesting::Misplaced,
        }
    }
}

/// Returns whether a child of `parent` may stand directly in `innermost`. SimpleTags nest, but one
/// of unknown size ends where the next one begins (RFC 8794 §6.2).
fn stands_in(parent: Element, innermost: Master) -> bool {
    let nested = parent == Element::Tag
        && innermost.element == Element::SimpleTag
        && innermost.end.is_some();
    parent == innermost.element || nested
}

impl Master {
    /// Returns whether nothing of it is read.
    pub(super) fn is_opaque(self) -> bool {
        self.element.kind() == Kind::Opaque
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_placed_by_the_masters_that_are_open() {
        let mut masters = Masters::default();
        assert!(masters.open(Element::Segment, None) && masters.open(Element::Cluster, Some(90)));
        assert!(masters.open(Element::BlockGroup, None));
        let group = masters.innermost().unwrap();
        assert_eq!((group.limit, masters.may_end()), (90, false));
        for (element, placement) in [
            (Element::Block, Nesting::Inside),
            (Element::Void, Nesting::Inside),
            (Element::Unknown, Nesting::Inside),
            (Element::SimpleBlock, Nesting::Outside),
            (Element::Tags, Nesting::Outside),
            (Element::Ebml, Nesting::Outside),
            (Element::TrackNumber, Nesting::Misplaced),
        ] {
            assert_eq!(masters.nesting(element, group), placement, "{element:?}");
        }
    }

    #[test]
    fn only_simple_tags_of_known_size_nest() {
        for (end, placement) in [(Some(50), Nesting::Inside), (None, Nesting::Outside)] {
            let mut masters = Masters::default();
            for element in [Element::Segment, Element::Tags, Element::Tag] {
                assert!(masters.open(element, None));
            }
            assert!(masters.open(Element::SimpleTag, end));
            let tag = masters.innermost().unwrap();
            assert_eq!(masters.nesting(Element::SimpleTag, tag), placement);
        }
    }
}
