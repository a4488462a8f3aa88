//! Promise: what the speaker said is what the processor has: every sample, in order, once, and the
//! very samples that libopus makes of the packets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use e2e::{Options, SessionRun};

#[tokio::test]
async fn one_session_arrives_whole() {
    // Fragments of AWS's producers, and of WebRTC ingestion.
    for fragment_ms in [2_000, 10_000] {
        let options = Options { fragment_ms, ..Options::default() };
        let run = SessionRun::with_faults(options, &[]).await.unwrap();
        run.assert_whole();
        assert_eq!(run.consumers(), 1, "{fragment_ms}");
        let mut pairs = run.wav.iter().zip(&run.spoken);
        let first = pairs.position(|(got, said)| got != said);
        assert_eq!(first, None, "{fragment_ms}: the WAV differs from libopus at this sample");
    }
}
