//! PutMedia and GetMedia have AWS's framing, selectors, ends, limits and faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod kvs_support;

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use kvs_support::{
    CLUSTER, Server, TAGS, cluster, documents, element, element_head, elements, head, numbers,
    read, read_until, recording, tags, until, values,
};
use matroska_demuxer::{Frame, MatroskaFile};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

const EARLIEST: &str = "EARLIEST";

fn from(kind: &str) -> Value {
    json!({ "StartSelectorType": kind })
}

fn after(number: &str) -> Value {
    json!({ "StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": number })
}

fn events(acks: &[Value]) -> Vec<(&str, i64)> {
    acks.iter()
        .map(|ack| {
            (ack["EventType"].as_str().unwrap(), ack["FragmentTimecode"].as_i64().unwrap_or(-1))
        })
        .collect()
}

/// The payloads of the blocks in a document, as the demuxer reads them.
fn frames(document: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
    let mut file = MatroskaFile::open(Cursor::new(document)).unwrap();
    assert_eq!(file.tracks()[0].codec_id(), "A_OPUS");
    let mut found = Vec::new();
    let mut frame = Frame::default();
    while file.next_frame(&mut frame).unwrap() {
        found.push((frame.timestamp, frame.data.clone()));
    }
    found
}

/// A producer whose bytes are sent one by one as they are needed.
fn producer() -> (mpsc::UnboundedSender<Vec<u8>>, reqwest::Body) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Vec<u8>>();
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    (sender, reqwest::Body::wrap_stream(stream.map(Ok::<_, std::convert::Infallible>)))
}

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
async fn every_selector_starts_where_it_says() {
    let server = Server::start(20.0).await;
    let arn = server.stream("s", 24).await;
    server.put_all("s", "1700000000.000", recording(4)).await;
    let all = numbers(&server.get_all("s", from(EARLIEST)).await);
    assert_eq!(all.len(), 4);
    assert_eq!(numbers(&server.get_all("s", after(&all[1])).await), all[2..]);
    assert!(server.get_all("s", after(&all[3])).await.is_empty());
    assert!(server.get_all("s", from("NOW")).await.is_empty());
    let token = json!({ "StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": all[0] });
    assert_eq!(numbers(&server.get_all("s", token).await), all[1..]);
    for (at, first) in [(1_699_999_990.0, 0), (1_700_000_001.999, 1), (1_700_000_002.0, 2)] {
        // Five calls in a second of the cloud are the limit.
        server.clock.sleep(Duration::from_secs(1)).await;
        let time = json!({ "StartSelectorType": "PRODUCER_TIMESTAMP", "StartTimestamp": at });
        assert_eq!(numbers(&server.get_all("s", time).await), all[first..]);
    }
    let late = json!({ "StartSelectorType": "SERVER_TIMESTAMP",
                       "StartTimestamp": server.clock.now_ms() as f64 / 1000.0 + 60.0 });
    assert!(server.get_all("s", late).await.is_empty());
    let first = json!({ "StartSelectorType": "SERVER_TIMESTAMP", "StartTimestamp": 1.5 });
    assert_eq!(numbers(&server.get_all("s", first).await), all);

    let invalid = "InvalidArgumentException";
    for selector in [
        json!({}),
        from("LATEST"),
        from("FRAGMENT_NUMBER"),
        after("12x"),
        from("SERVER_TIMESTAMP"),
        from("CONTINUATION_TOKEN"),
    ] {
        let request = json!({ "StreamARN": arn, "StartSelector": selector });
        server.refused("/getMedia", request, 400, invalid).await;
    }
    server.refused("/getMedia", json!({ "StreamARN": arn }), 400, invalid).await;
    let request = json!({ "StreamName": "none", "StartSelector": from(EARLIEST) });
    server.refused("/getMedia", request, 404, "ResourceNotFoundException").await;
}

#[tokio::test]
async fn an_unknown_fragment_is_told_inside_the_body() {
    let server = Server::start(20.0).await;
    server.stream("s", 24).await;
    server.put_all("s", "1700000000.000", recording(1)).await;
    let wanted = "9".repeat(47);
    let body = server.get_all("s", after(&wanted)).await;
    let ids: Vec<u32> = elements(&body).iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [0x1A45_DFA3, 0x1853_8067, 0x1254_C367]);
    assert_eq!(values(&body, "AWS_KINESISVIDEO_ERROR_ID"), ["4000"]);
    assert_eq!(values(&body, "AWS_KINESISVIDEO_ERROR_CODE").len(), 1);
}

#[tokio::test]
async fn a_reader_catches_up_follows_live_and_ends_when_idle() {
    let server = Server::start(4.0).await;
    server.stream("s", 24).await;
    let (blocks, body) = producer();
    blocks.send(recording(2)).unwrap();
    let put = server.put("s", "1700000000.000", body).await;
    assert_eq!(put.status(), 200);
    let reading = server.get("s", from(EARLIEST)).await;
    let mut pieces = reading.bytes_stream();
    let mut read = Vec::new();
    for n in 2..5 {
        // The previous fragment is complete as soon as this one begins; the reader receives it
        // then.
        while numbers(&whole(&read)).len() < n - 1 {
            read.extend_from_slice(&pieces.next().await.unwrap().unwrap());
        }
        blocks.send(cluster(n as u32 * 1000, 50, n as u8)).unwrap();
    }
    drop(blocks);
    let idle = std::time::Instant::now();
    while let Some(piece) = pieces.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    // 3 s of the cloud's time; a busy machine takes longer, never less.
    assert!(idle.elapsed() >= Duration::from_millis(700), "{:?}", idle.elapsed());
    assert_eq!(numbers(&read).len(), 5);
    until(async || server.kvs.state()["streams"][0]["readers"] == 0).await;
}

/// Reads a body on until it holds `needle` this many times.
async fn read_on(
    pieces: &mut (impl futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Unpin),
    read: &mut Vec<u8>,
    needle: &[u8],
    times: usize,
) {
    while read.windows(needle.len()).filter(|window| *window == needle).count() < times {
        read.extend_from_slice(&pieces.next().await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_fragment_is_read_while_it_is_sent() {
    const END: &[u8] = b"AWS_KINESISVIDEO_CONTINUATION_TOKEN";
    let server = Server::start(1.0).await;
    server.stream("s", 24).await;
    let (blocks, body) = producer();
    let first = cluster(0, 50, 7);
    let size = element(&[0xA3], &[0; 6]).len();
    let (most, rest) = first.split_at(first.len() - size);
    blocks.send([head(), most.to_vec()].concat()).unwrap();
    let put = server.put("s", "1700000000.000", body).await;
    let mut reading = server.get("s", from("NOW")).await.bytes_stream();
    let mut read = Vec::new();
    read_on(&mut reading, &mut read, &[0x80, 7, 48], 1).await;
    let stream = server.kvs.state()["streams"][0].clone();
    assert_eq!(
        (&stream["fragments"], &stream["openFragment"]),
        (&json!(0), &json!(numbers(&read)[0]))
    );

    // A fault between two fragments waits for the end of this one.
    server.fault(json!({ "service": "kinesisvideo", "operation": "GetMediaBody", "target": "s",
                         "kind": "error-tag", "extra": { "errorId": 5000 } }));
    blocks.send(rest.to_vec()).unwrap();
    read_on(&mut reading, &mut read, &[0x80, 7, 49], 1).await;
    until(async || server.faults.list().is_empty()).await;
    assert!(!read.windows(END.len()).any(|window| window == END));
    let next = server.get("s", after(&numbers(&read)[0])).await;
    let own = element(&TAGS, &element(&[0x73, 0x73], &[]));
    blocks.send([own.clone(), cluster(1000, 50, 8)].concat()).unwrap();
    while let Some(piece) = reading.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(values(&read, "AWS_KINESISVIDEO_ERROR_ID"), ["5000"]);
    assert_eq!(numbers(&read_until(next, &[0x80, 8, 49]).await).len(), 1);
    drop(blocks);
    assert!(!put.text().await.unwrap().contains("ERROR"));

    let stored = documents(&server.get_all("s", from(EARLIEST)).await);
    let read = documents(&read);
    assert_eq!(frames(read[0].clone()), frames(stored[0].clone()));
    let (live, stored) = (elements(&read[0]), elements(&stored[0]));
    assert_eq!(element_head(live[5].1), (0x1F43_B675, None, 12));
    assert!(element_head(stored[5].1).1.is_some(), "a complete one has its size");
    let order = live.iter().map(|(id, _)| *id).filter(|id| !matches!(id, 0xE7 | 0xA3));
    assert!(order.eq(stored.iter().map(|(id, _)| *id)));
    assert_eq!((live[57].1, stored[6].1), (&own[..], &own[..]));
}

#[tokio::test]
async fn a_fragment_whose_producer_disconnects_is_not_stored() {
    let server = Server::start(1.0).await;
    server.stream("s", 24).await;
    let (blocks, body) = producer();
    let mut cut = recording(1);
    cut.pop();
    blocks.send(cut).unwrap();
    let put = server.put("s", "1700000000.000", body).await;
    let mut reading = server.get("s", from(EARLIEST)).await.bytes_stream();
    let mut read = Vec::new();
    read_on(&mut reading, &mut read, &[0x80, 0, 48], 1).await;
    drop(blocks);
    assert!(put.text().await.unwrap().contains("STREAM_READ_ERROR"));
    until(async || server.kvs.state()["streams"][0]["writers"] == 0).await;
    server.put_all("s", "1700000000.000", recording(1)).await;
    read_on(&mut reading, &mut read, b"AWS_KINESISVIDEO_CONTINUATION_TOKEN", 1).await;
    let dropped = numbers(&read)[0].clone();
    assert_eq!(numbers(&read).len(), 2);
    assert_eq!(documents(&read).len(), 2);
    let found: Vec<usize> = documents(&read).into_iter().map(|it| frames(it).len()).collect();
    assert_eq!(found, [49, 50]);
    assert_eq!(numbers(&server.get_all("s", from(EARLIEST)).await), numbers(&read)[1..]);
    let missing = server.get_all("s", after(&dropped)).await;
    assert_eq!(values(&missing, "AWS_KINESISVIDEO_ERROR_ID"), ["4000"]);
}

/// Returns the part of a body that ends with a complete element.
fn whole(bytes: &[u8]) -> Vec<u8> {
    let mut end = 0;
    while end + 12 <= bytes.len() {
        let (_, size, head) = element_head(&bytes[end..]);
        let next = end + head + size.unwrap_or(0);
        if next > bytes.len() {
            break;
        }
        end = next;
    }
    bytes[..end].to_vec()
}

#[tokio::test]
async fn three_readers_and_five_calls_a_second_are_the_limit() {
    let server = Server::start(1.0).await;
    server.stream("s", 24).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let reading = server.get("s", from(EARLIEST)).await;
        assert_eq!(reading.status(), 200);
        open.push(reading);
    }
    for _ in 0..2 {
        let refused = read(server.get("s", from(EARLIEST)).await).await;
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "ConnectionLimitExceededException")
        );
    }
    let refused = read(server.get("s", from(EARLIEST)).await).await;
    assert_eq!((refused.status, refused.code.as_str()), (400, "ClientLimitExceededException"));
    assert_eq!(server.kvs.state()["streams"][0]["readers"], 3);
    open.pop();
    until(async || server.kvs.state()["streams"][0]["readers"] == 2).await;
}

#[tokio::test]
async fn a_deleted_stream_ends_its_connections() {
    let server = Server::start(1.0).await;
    let arn = server.stream("s", 24).await;
    let (blocks, body) = producer();
    blocks.send(recording(2)).unwrap();
    let put = server.put("s", "1700000000.000", body).await;
    let reading = server.get("s", from(EARLIEST)).await;
    let first = read_until(reading, b"AWS_KINESISVIDEO_CONTINUATION_TOKEN");
    first.await;
    let mut reading = server.get("s", from("NOW")).await.bytes_stream();
    let mut read = Vec::new();
    read_on(&mut reading, &mut read, &[0x80, 1, 49], 1).await;
    server.ok("/deleteStream", json!({ "StreamARN": arn })).await;
    assert!(reading.next().await.is_none(), "the end is clean");
    assert_eq!(numbers(&read).len(), 1, "the open fragment");
    assert!(values(&read, "AWS_KINESISVIDEO_CONTINUATION_TOKEN").is_empty());
    let acks = put.text().await.unwrap();
    let last: Value = serde_json::from_str(acks.lines().last().unwrap()).unwrap();
    assert_eq!((&last["EventType"], &last["ErrorId"]), (&json!("ERROR"), &json!(4008)));
    let request = json!({ "StreamName": "s", "StartSelector": from(EARLIEST) });
    server.refused("/getMedia", request, 404, "ResourceNotFoundException").await;
}

#[tokio::test]
async fn producers_are_held_to_the_rules() {
    let server = Server::start(20.0).await;
    server.stream("s", 24).await;
    let error = async |bytes: Vec<u8>| {
        server.clock.sleep(Duration::from_secs(1)).await;
        let acks = server.put_all("s", "1.0", bytes).await;
        let last = acks.last().unwrap().clone();
        assert_eq!(last["EventType"], "ERROR");
        last["ErrorId"].as_u64().unwrap()
    };
    assert_eq!(error(b"hello, this is not matroska".to_vec()).await, 4006);
    assert_eq!(error([head(), cluster(0, 0, 0)].concat()).await, 4011);
    // The first fragment's last frame is at 980 ms.
    assert_eq!(error([recording(1), cluster(980, 1, 0)].concat()).await, 4004);
    let mut cut = recording(1);
    cut.pop();
    assert_eq!(error(cut).await, 4000);
    assert_eq!(error([recording(1), recording(1)].concat()).await, 4006);
    let body = server.get_all("s", from(EARLIEST)).await;
    // Complete fragments before the error are kept: one of the third, none of the cut one, one of
    // the last.
    assert_eq!(numbers(&body).len(), 2);

    let (blocks, body) = producer();
    blocks.send(head()).unwrap();
    server.clock.sleep(Duration::from_secs(1)).await;
    let first = server.put("s", "1.0", body).await;
    let second = read(server.put("s", "1.0", recording(1)).await).await;
    assert_eq!((second.status, second.code.as_str()), (400, "ConnectionLimitExceededException"));
    drop((blocks, first));
    until(async || server.kvs.state()["streams"][0]["writers"] == 0).await;
    let missing = read(server.put("none", "1.0", recording(1)).await).await;
    assert_eq!((missing.status, missing.code.as_str()), (404, "ResourceNotFoundException"));
}

/// A producer reads the acknowledgements after it has sent more than the connection holds.
/// Otherwise the connection is reset, and the error may be lost.
#[tokio::test]
async fn what_a_producer_sends_after_an_error_is_discarded() {
    let server = Server::start(1.0).await;
    server.stream("s", 24).await;
    let host = server.url.trim_start_matches("http://");
    let mut connection = tokio::net::TcpStream::connect(host).await.unwrap();
    let piece = [b"10000\r\n", [b'x'; 0x10000].as_slice(), b"\r\n"].concat();
    let head = format!(
        "POST /putMedia HTTP/1.1\r\nhost: {host}\r\nx-amzn-stream-name: s\r\n\
         x-amzn-fragment-timecode-type: RELATIVE\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..200 {
        connection.write_all(&piece).await.unwrap();
    }
    connection.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let length = connection.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.contains("\"ERROR\""), "{answer}");
}

#[tokio::test]
async fn a_clock_goes_back_on_a_new_connection_only() {
    let server = Server::start(20.0).await;
    server.stream("s", 24).await;
    let acks = server.put_all("s", "1.0", [recording(2), cluster(1980, 1, 9)].concat()).await;
    let first = [0, 1000]
        .into_iter()
        .flat_map(|at| ["BUFFERING", "RECEIVED", "PERSISTED"].map(|event| (event, at)));
    let wanted: Vec<_> = first.chain([("BUFFERING", 1980), ("ERROR", 1980)]).collect();
    assert_eq!(events(&acks), wanted);
    let last = acks.last().unwrap();
    assert_eq!(last["ErrorId"], 4004);
    assert_eq!(last["ErrorCode"], "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS");
    assert_eq!(last["FragmentNumber"], acks[acks.len() - 2]["FragmentNumber"]);
    assert_eq!(numbers(&server.get_all("s", from(EARLIEST)).await).len(), 2);
    // AWS's producers send the last fragments again after a reconnect.
    let again = server.put_all("s", "1.0", recording(3)).await;
    assert!(again.iter().all(|ack| ack["EventType"] != "ERROR"), "{again:?}");
    let body = server.get_all("s", from(EARLIEST)).await;
    let producer = values(&body, "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP");
    assert_eq!(producer, ["1.000", "2.000", "1.000", "2.000", "3.000"]);
}

#[tokio::test]
async fn a_stream_without_retention_buffers_but_does_not_persist() {
    let server = Server::start(20.0).await;
    server.stream("s", 0).await;
    let acks = server.put_all("s", "1.0", recording(1)).await;
    assert_eq!(events(&acks), [("BUFFERING", 0), ("RECEIVED", 0)]);
    assert_eq!(numbers(&server.get_all("s", from(EARLIEST)).await).len(), 1);
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

#[tokio::test]
async fn faults_strike_the_middle_of_a_body() {
    let server = Server::start(20.0).await;
    server.stream("s", 24).await;
    server.put_all("s", "1700000000.000", recording(2)).await;
    let plain = server.get_all("s", from(EARLIEST)).await;
    let fault = |kind: &str, extra: Value| {
        server.fault(json!({ "service": "kinesisvideo", "operation": "GetMedia", "target": "s",
                             "kind": kind, "delayMs": 300, "extra": extra }));
    };
    fault("cut", json!({ "afterBytes": 100 }));
    let mut pieces = server.get("s", from(EARLIEST)).await.bytes_stream();
    let mut read = Vec::new();
    let broke = loop {
        match pieces.next().await {
            Some(Ok(piece)) => read.extend_from_slice(&piece),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broke, "a cut is no clean end");
    assert_eq!(read, plain[..100]);

    fault("end", json!({ "afterBytes": 100 }));
    assert_eq!(server.get_all("s", from(EARLIEST)).await, plain[..100]);

    fault("error-tag", json!({ "errorId": 5000 }));
    let body = server.get_all("s", from(EARLIEST)).await;
    assert_eq!(values(&body, "AWS_KINESISVIDEO_ERROR_ID"), ["5000"]);
    fault("error-tag", json!({ "errorId": 3002, "afterBytes": 10 }));
    let body = server.get_all("s", from(EARLIEST)).await;
    assert_eq!(values(&body, "AWS_KINESISVIDEO_ERROR_ID"), ["3002"]);
    assert_eq!(documents(&body).len(), 2);

    server.clock.sleep(Duration::from_secs(1)).await;
    fault("damage", json!({ "afterBytes": 90, "bytes": 4 }));
    let body = server.get_all("s", from(EARLIEST)).await;
    assert_eq!(body[..90], plain[..90]);
    let turned: Vec<u8> = plain[90..94].iter().map(|byte| !byte).collect();
    assert_eq!(body[90..94], turned);

    fault("stall", json!({ "afterBytes": 50 }));
    let before = std::time::Instant::now();
    let body = server.get_all("s", from(EARLIEST)).await;
    assert!(before.elapsed() >= Duration::from_millis(300));
    assert_eq!(numbers(&body), numbers(&plain));

    fault("error", json!({}));
    let request = json!({ "StreamName": "s", "StartSelector": from(EARLIEST) });
    server.refused("/getMedia", request, 500, "InternalFailure").await;
}

#[tokio::test]
async fn a_fault_strikes_a_body_that_is_already_being_sent() {
    let server = Server::start(1.0).await;
    server.stream("s", 24).await;
    let (blocks, body) = producer();
    blocks.send(recording(2)).unwrap();
    let put = server.put("s", "1700000000.000", body).await;
    assert_eq!(put.status(), 200);
    let mut pieces = server.get("s", from(EARLIEST)).await.bytes_stream();
    assert!(pieces.next().await.unwrap().is_ok());
    server.fault(json!({ "service": "kinesisvideo", "operation": "GetMediaBody", "target": "s",
                         "kind": "cut" }));
    // The next fragment is complete when the one after it begins.
    for n in 2..4 {
        blocks.send(cluster(n * 1000, 50, n as u8)).unwrap();
    }
    while let Some(Ok(_)) = pieces.next().await {}
    assert!(server.faults.list().is_empty());
    let again = server.get("s", from(EARLIEST)).await.bytes_stream().next().await;
    assert!(again.unwrap().is_ok(), "the next connection is not cut");
}
