//! Any bytes, in any pieces: no panic, every byte accounted for, never more held than promised.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::mkv::{Event, Parser, limits};

fuzz_target!(|input: &[u8]| {
    let Some((&first, bytes)) = input.split_first() else { return };
    let piece = usize::from(first) * 16 + 1;
    let mut parser = Parser::new();
    let mut accounted = 0;
    for chunk in bytes.chunks(piece) {
        parser.push(chunk);
        while let Some(event) = parser.poll() {
            match event {
                Event::DocumentEnd { bytes, .. } | Event::Skipped { bytes } => accounted += bytes,
                Event::Tracks { tracks, .. } => {
                    let audio = tracks.last().map(|track| track.number);
                    parser.select(audio);
                }
                _ => {}
            }
        }
        assert!(parser.held() <= limits::MAX_HELD);
    }
    let end = parser.finish();
    assert_eq!(accounted + end.document.unwrap_or(0) + end.tail, bytes.len() as u64);
});
