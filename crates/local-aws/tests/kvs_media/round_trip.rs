//! What is put is got, byte for byte.

use super::*;

#[tokio::test]
async fn what_is_put_is_got_one_document_for_each_fragment() {
    let server = Server::start(20.0).await;
    server.stream("s", 24).await;
    let acks = server.put_all("s", "1700000000.250", recording(3)).await;
    let wanted: Vec<(&str, i64)> = [0, 1000, 2000]
        .into_iter()
        .flat_map(|at| [("BUFFERING", at), ("RECEIVED", at), ("PERSISTED", at)])
        .collect();
    // A fragment is complete when the next begins, so this order across fragments is fixed.
    assert_eq!(events(&acks), wanted);
    let body = server.get_all("s", from(EARLIEST)).await;
    let documents = documents(&body);
    assert_eq!(documents.len(), 3);
    let producer = values(&body, "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP");
    assert_eq!(producer, ["1700000000.250", "1700000001.250", "1700000002.250"]);
    assert_eq!(numbers(&body), values(&body, "AWS_KINESISVIDEO_CONTINUATION_TOKEN"));
    assert_eq!(numbers(&body)[0], acks[0]["FragmentNumber"]);
    assert!(numbers(&body).is_sorted_by(|a, b| a < b && a.len() == 47 && b.len() == 47));
    let server_s: f64 = values(&body, "AWS_KINESISVIDEO_SERVER_TIMESTAMP")[0].parse().unwrap();
    assert!((server.clock.now_ms() as f64 / 1000.0 - server_s).abs() < 600.0);
    for (n, document) in documents.into_iter().enumerate() {
        let ids: Vec<u32> = elements(&document).iter().map(|(id, _)| *id).collect();
        let order = [
            0x1A45_DFA3,
            0x1853_8067,
            0x1549_A966,
            0x1654_AE6B,
            0x1254_C367,
            0x1F43_B675,
            0x1254_C367,
        ];
        assert_eq!(ids, order);
        assert_eq!(elements(&document)[1].1[4..], [1, 255, 255, 255, 255, 255, 255, 255]);
        let found = frames(document);
        let wanted: Vec<(u64, Vec<u8>)> =
            (0..50).map(|b| (n as u64 * 1000 + u64::from(b) * 20, vec![n as u8, b])).collect();
        assert_eq!(found, wanted);
    }
}

#[tokio::test]
async fn real_captures_come_back_byte_for_byte() {
    let media = std::env::var_os("SHARED_MEDIA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media"),
        PathBuf::from,
    );
    let media = [media, PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/media")]
        .into_iter()
        .find(|folder| folder.is_dir());
    let Some(media) = media else {
        println!("skipped: ../shared/media is absent (SHARED_MEDIA names another folder)");
        return;
    };
    for name in ["output_get_media.mkv", "output_get_media_sparse_fragments.mkv"] {
        let capture = std::fs::read(media.join("getmedia").join(name)).unwrap();
        let captured = documents(&capture);
        let server = Server::start(20.0).await;
        server.stream("s", 24).await;
        let acks = server.put_all("s", "1511852108.513", as_producer(&captured)).await;
        assert!(!acks.iter().any(|ack| ack["EventType"] == "ERROR"), "{acks:?}");
        let body = server.get_all("s", from(EARLIEST)).await;
        let got = documents(&body);
        assert_eq!(got.len(), captured.len());
        for (got, captured) in got.iter().zip(&captured) {
            assert_eq!(shape(got), shape(captured), "{name}");
        }
        let producer = "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP";
        assert_eq!(values(&body, producer), values(&capture, producer));
    }
}

fn is_aws_tags(raw: &[u8]) -> bool {
    raw.starts_with(&TAGS) && tags(raw).iter().any(|(name, _)| name.starts_with("AWS_"))
}

/// Returns the bytes that the producer must have sent for this capture: the head once, then every
/// Cluster.
fn as_producer(captured: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, document) in captured.iter().enumerate() {
        for (id, raw) in elements(document) {
            let cluster = id == 0x1F43_B675;
            if (cluster || n == 0) && !is_aws_tags(raw) && id != 0x1C53_BB6B {
                out.extend_from_slice(raw);
            }
        }
    }
    out
}

/// Returns a document's elements with AWS's tags reduced to their names, without the Cues that a
/// file producer writes after its last Cluster (they are not kept).
fn shape(document: &[u8]) -> Vec<(u32, Vec<u8>)> {
    elements(document)
        .into_iter()
        .filter(|(id, _)| *id != 0x1C53_BB6B)
        .map(|(id, raw)| {
            if is_aws_tags(raw) {
                let names: Vec<String> = tags(raw).into_iter().map(|(name, _)| name).collect();
                let size_bytes = element_head(raw).2 as u8;
                return (id, [names.join(" ").as_bytes(), &[size_bytes]].concat());
            }
            (id, raw.to_vec())
        })
        .collect()
}

#[tokio::test]
async fn fragment_tags_of_a_producer_follow_their_cluster() {
    let server = Server::start(20.0).await;
    server.stream("s", 24).await;
    let own = element(&TAGS, &element(&[0x73, 0x73], &[]));
    let bytes = [recording(1), own.clone(), cluster(1000, 1, 1)].concat();
    server.put_all("s", "1.0", bytes).await;
    let body = server.get_all("s", from(EARLIEST)).await;
    let order: Vec<u32> = elements(&body).iter().map(|(id, _)| *id).collect();
    let at = order.iter().position(|id| *id == u32::from_be_bytes(CLUSTER)).unwrap();
    assert_eq!(elements(&body)[at + 1].1, own);
    assert!(is_aws_tags(elements(&body)[at + 2].1));
    assert_eq!(order[at + 3], 0x1A45_DFA3);
}
