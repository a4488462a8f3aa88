//! Faults in the middle of a body.

use super::*;

#[tokio::test]
async fn faults_apply_in_the_middle_of_a_body() {
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
async fn a_fault_applies_to_a_body_that_is_already_being_sent() {
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
