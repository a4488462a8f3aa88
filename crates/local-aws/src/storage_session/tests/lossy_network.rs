//! Faults of the network between a client and its session.

use serde_json::json;

use super::*;

fn fault(cloud: &Cloud, operation: &str, more: &serde_json::Value) {
    let mut json = json!({ "service": "kinesisvideo", "operation": operation, "target": "talk" });
    json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cloud.faults.add(serde_json::from_value(json).unwrap()).unwrap();
}

#[tokio::test]
async fn lost_audio_is_concealed_in_its_length() {
    let cloud = Cloud::new(1.0).await;
    fault(&cloud, "ClientAudio", &json!({ "kind": "loss", "extra": { "dropPercent": 5 } }));
    let (_master, mut browser) = connected(&cloud, []).await;
    let packets = recording(300);
    speak(&mut browser, &sent(&packets)).await;
    cloud.end(&mut browser).await;

    let counts = cloud.datagrams();
    assert_eq!((counts.audio_received, counts.audio_lost), (300, 15));
    let decoded = cloud.decoded().await;
    assert_eq!(decoded.gaps, []);
    let expected = opus::decode(&packets);
    for second in [2, 4] {
        let at = second * 16_000;
        let late = delay(&expected[at..], &decoded.pcm[at..]);
        assert!(late.abs() <= 16, "{late} samples late after {second} s");
    }
    let correlation = envelope_correlation(&expected, &decoded.pcm);
    assert!(correlation > 0.9, "{correlation}");
}

#[tokio::test]
async fn an_outage_leaves_a_gap_of_its_length() {
    let cloud = Cloud::new(1.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    let packets = recording(250);
    let outage = |number: usize| match number {
        75 => fault(&cloud, "ClientNetwork", &json!({ "kind": "outage" })),
        150 => cloud.faults.clear(),
        _ => {}
    };
    speak_while(&mut browser, &sent(&packets), outage).await;
    cloud.end(&mut browser).await;

    let counts = cloud.datagrams();
    let lost = packets.len() as i64 - counts.audio_received as i64;
    assert!((40..=110).contains(&lost) && counts.received_in_outages as i64 >= lost, "{counts:?}");
    let decoded = cloud.decoded().await;
    let [(start, samples)] = decoded.gaps[..] else { panic!("{:?}", decoded.gaps) };
    // The encoder's silence is up to two frames at the start of the gap, and one at its end.
    let missing_ms = 20 * lost - samples as i64 / 16;
    assert!((-5..=75).contains(&missing_ms), "{lost} packets, a gap of {samples} samples");
    let expected = opus::decode(&packets);
    let after = (start + samples) as usize - 8000;
    let late = delay(&expected[after..], &decoded.pcm[after..]);
    assert!(late.abs() <= 16, "{late} samples late after the gap");
}
