//! PutMedia: rules, acknowledgements and errors.

use super::*;
use tokio::net::TcpStream;

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
/// Opens a connection and sends the head of a PutMedia request whose body is chunked.
async fn raw_put(server: &Server) -> TcpStream {
    let host = server.url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /putMedia HTTP/1.1\r\nhost: {host}\r\nx-amzn-stream-name: s\r\n\
         x-amzn-fragment-timecode-type: RELATIVE\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// Returns a chunk of a chunked body.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn what_a_producer_sends_after_an_error_is_discarded() {
    let server = Server::start(1.0).await;
    server.stream("s", 24).await;
    let mut connection = raw_put(&server).await;
    let piece = chunk(&[b'x'; 0x10000]);
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
async fn media_is_kept_if_the_producer_sends_no_more_after_its_last_byte() {
    let server = Server::start(1.0).await;
    server.stream("s", 24).await;
    for sent in 1..=4 {
        let mut connection = raw_put(&server).await;
        let body = [chunk(&recording(2)), b"0\r\n\r\n".to_vec()].concat();
        connection.write_all(&body).await.unwrap();
        connection.shutdown().await.unwrap();
        until(async || server.kvs.state()["streams"][0]["fragments"] == 2 * sent).await;
        until(async || server.kvs.state()["streams"][0]["writers"] == 0).await;
    }
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
