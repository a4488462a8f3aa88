//! The text of consecutive fingerprints. A value that follows from the fingerprint before is left
//! out, because a checkpoint contains a minute of them and is written each time a lease is renewed.

use std::fmt::Write as _;

use super::{Content, number, push_digits};
use crate::Error;

/// First word of [`Content::list_to_text`].
const VERSION: &str = "2";

impl Content {
    /// Formats fingerprints, oldest first, as one ASCII line that [`Content::list_from_text`]
    /// parses, with two bits per packet: about 14 bytes for a fragment that continues the one
    /// before and is as long, plus 17 for each second of 20 ms packets.
    pub fn list_to_text(list: &[Self]) -> String {
        let mut text = VERSION.to_owned();
        let mut before = Self::default();
        for content in list {
            // Writing to a String cannot fail.
            let _ = content.write_after(&before, &mut text);
            before.follow(content);
        }
        text
    }

    /// Parses the text of [`Content::list_to_text`].
    ///
    /// # Errors
    /// [`Error::Content`] for anything else.
    pub fn list_from_text(text: &str) -> Result<Vec<Self>, Error> {
        let mut words = text.split(' ');
        if words.next() != Some(VERSION) {
            return Err(Error::Content { reason: "unknown version" });
        }
        let mut before = Self::default();
        let contents = words.map(|word| {
            let content = Self::read_after(&before, word)?;
            before.follow(&content);
            Ok(content)
        });
        contents.collect()
    }

    /// Keeps of `content` what the text of the next fingerprint refers to.
    fn follow(&mut self, content: &Self) {
        (self.time_ms, self.nanos, self.packets) =
            (content.time_ms, content.nanos, content.packets);
    }

    /// Returns the producer's clock after the last packet, ms since the epoch.
    fn end_ms(&self) -> i64 {
        self.time_ms.saturating_add(self.nanos / 1_000_000)
    }

    /// Appends a word: the time relative to the end of the fingerprint before, the hash of the
    /// first packet, length in ns, number of checks, checks. Empty: the time follows without a gap,
    /// length and number are as before.
    fn write_after(&self, before: &Self, text: &mut String) -> std::fmt::Result {
        text.push(' ');
        let gap = self.time_ms.wrapping_sub(before.end_ms());
        if gap != 0 {
            write!(text, "{gap}")?;
        }
        write!(text, ":{:08x}:", self.first)?;
        if self.nanos != before.nanos {
            write!(text, "{}", self.nanos)?;
        }
        text.push(':');
        if self.checks.len() + 1 != before.packets {
            write!(text, "{}", self.checks.len())?;
        }
        text.push(':');
        push_digits(text, &self.checks);
        Ok(())
    }

    fn read_after(before: &Self, word: &str) -> Result<Self, Error> {
        let parts: Vec<_> = word.split(':').collect();
        let [gap, first, nanos, count, digits] = parts[..] else {
            return Err(Error::Content { reason: "parts" });
        };
        let gap = if gap.is_empty() { 0 } else { number(gap, "time")? };
        let nanos = if nanos.is_empty() { before.nanos } else { number(nanos, "duration")? };
        let count = match count {
            "" => before.packets.saturating_sub(1),
            count => number(count, "packets")?,
        };
        Self::read(before.end_ms().wrapping_add(gap), first, nanos, count, digits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::RunningHash;
    use super::*;

    /// Returns the fingerprint of some packets of 20 ms, whose time is `gap_ms` after `before`.
    fn after(before: &Content, gap_ms: i64, packets: usize, seed: u8) -> Content {
        let (mut content, mut check) = (Content::default(), RunningHash::default());
        let time_ms = before.end_ms().wrapping_add(gap_ms);
        for packet in 0..packets {
            check.add(&[seed, packet as u8, (packet >> 8) as u8]);
            content.push(time_ms, check, 20_000_000);
        }
        content
    }

    #[test]
    fn a_minute_of_fragments_takes_a_third_less_than_their_texts() {
        let mut contents = vec![after(&Content::default(), 1_700_000_000_000, 100, 0)];
        for seed in 1..33 {
            contents.push(after(&contents[contents.len() - 1], 0, 100, seed));
        }
        let text = Content::list_to_text(&contents);
        assert!(text.len() <= 33 * (14 + 33) + 40, "{}", text.len());
        let apart: usize = contents.iter().map(|content| content.to_text().len() + 3).sum();
        assert!(3 * text.len() < 2 * apart, "{} of {apart}", text.len());
    }

    #[test]
    fn malformed_text_is_rejected() {
        assert_eq!(Content::list_from_text("2"), Ok(Vec::new()));
        for bad in
            ["", "1", "2 ", "2 x", "2 1:0:0:1:", "2 1:g:0:0:", "2 1:0:0:0:A", "2 1:0:0:9000:A"]
        {
            assert!(Content::list_from_text(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_read_as_its_elements_are(
            parts in prop::collection::vec((any::<i64>(), 1_usize..200, any::<u8>()), 0..20),
        ) {
            let mut contents = Vec::new();
            let mut before = Content::default();
            for (gap_ms, packets, seed) in parts {
                // Half of them follow without a gap.
                let gap_ms = if seed % 2 == 0 { 0 } else { gap_ms };
                before = after(&before, gap_ms, packets, seed);
                contents.push(before.clone());
            }
            let read = Content::list_from_text(&Content::list_to_text(&contents)).unwrap();
            let apart: Vec<_> =
                contents.iter().map(|it| Content::from_text(&it.to_text()).unwrap()).collect();
            prop_assert_eq!(read, apart);
        }
    }
}
