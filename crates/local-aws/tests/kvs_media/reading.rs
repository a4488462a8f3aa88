//! GetMedia: selectors, ends and limits.

use super::*;

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
async fn when_fragments_were_sent_is_known_of_each_of_many_streams_and_of_a_deleted_one() {
    let server = Server::start(50.0).await;
    let names: Vec<_> = (0..100).map(|number| format!("s-{number}")).collect();
    let streams = names.iter().map(async |name| {
        let arn = server.stream(name, 24).await;
        server.put_all(name, "1700000000.000", recording(2)).await;
        server.get_all(name, from(EARLIEST)).await;
        arn
    });
    let arns = futures_util::future::join_all(streams).await;
    let sequences = |name: &String| -> Vec<_> {
        server.kvs.sent(name).iter().map(|part| part.sequence).collect()
    };
    assert!(names.iter().all(|name| sequences(name) == [1, 2]));
    server.get_all(&names[0], from(EARLIEST)).await;
    server.ok("/deleteStream", json!({ "StreamARN": arns[0] })).await;
    until(async || {
        server.ok("/listStreams", json!({})).await;
        !server.kvs.has_stream(&names[0])
    })
    .await;
    assert_eq!(sequences(&names[0]), [1, 2]);
}
