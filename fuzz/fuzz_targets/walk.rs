//! Arbitrary bytes in any pieces: no panic, every byte is accounted for, buffers stay within their
//! limit, and the events do not depend on the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::mkv::{Event, Parser, Selected, limits};

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let in_pieces = walk(bytes, usize::from(piece) + 1);
    assert_eq!(in_pieces, walk(bytes, bytes.len().max(1)));
});

/// Returns the debug texts of all events and of the end.
fn walk(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut parser = Parser::new();
    let (mut events, mut accounted) = (Vec::new(), 0);
    for mut chunk in bytes.chunks(piece) {
        while !chunk.is_empty() {
            chunk = parser.push(chunk);
            while let Some(event) = parser.poll() {
                events.push(format!("{event:?}"));
                match event {
                    Event::DocumentEnd { bytes, .. } | Event::Skipped { bytes } => {
                        accounted += bytes
                    }
                    Event::Tracks { tracks, .. } => {
                        let audio = tracks.last().map(|track| Selected::any(track.number));
                        parser.select(audio);
                    }
                    _ => {}
                }
            }
            assert!(parser.held() <= limits::MAX_HELD);
        }
    }
    let end = parser.finish();
    assert_eq!(accounted + end.document.unwrap_or(0) + end.tail, bytes.len() as u64);
    events.push(format!("{end:?}"));
    events
}
