//! Guarantee: the processor accepts every sample once and in order, and the samples are exactly
//! those that libopus decodes from the packets.

use e2e::{Options, SessionRun};

#[tokio::test]
async fn one_session_arrives_whole() {
    // Fragments as of AWS's producer SDKs, and as of WebRTC ingestion.
    for fragment_ms in [2_000, 10_000] {
        let options = Options { fragment_ms, ..Options::default() };
        let run = SessionRun::with_faults(options, &[]).await.unwrap();
        run.assert_whole();
        assert_eq!(run.consumers(), 1, "{fragment_ms}");
        let mut pairs = run.wav.iter().zip(&run.spoken);
        let first = pairs.position(|(delivered, sent)| delivered != sent);
        assert_eq!(first, None, "{fragment_ms}: the WAV differs from libopus at this sample");
    }
}
