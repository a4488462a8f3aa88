use std::convert::Infallible;
use std::net::UdpSocket;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;

const HEADER: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:2";

/// A receiver in place of the daemon.
struct Receiver(UdpSocket);

impl Receiver {
    fn new() -> (Self, Option<Arc<Daemon>>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let daemon = Daemon::connect(socket.local_addr().unwrap()).unwrap();
        (Self(socket), Some(Arc::new(daemon)))
    }

    /// Returns the next document.
    fn next(&self) -> Value {
        let mut buffer = vec![0; 65_536];
        let length = self.0.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        let header: Value = serde_json::from_str(header).unwrap();
        assert_eq!(header, json!({"format": "json", "version": 1}));
        serde_json::from_str(document).unwrap()
    }

    /// Returns whether nothing more has arrived: a datagram on this machine arrives at once.
    fn is_empty(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.recv(&mut [0; 10]).is_err()
    }
}

#[tokio::test]
async fn concurrent_invocations_keep_their_own_trace() {
    let served = |id: &'static str| {
        scope(Some(id.to_owned()), async {
            tokio::task::yield_now().await;
            current()
        })
    };
    let (first, second) = tokio::join!(served("Root=1-a"), served("Root=1-b"));
    assert_eq!((first.as_deref(), second.as_deref()), (Some("Root=1-a"), Some("Root=1-b")));
    assert_eq!(current(), None);
}

#[tokio::test]
async fn a_header_that_is_too_long_is_left_out() {
    let kept = |length| scope(Some("x".repeat(length)), async { current().is_some() });
    assert!(kept(MAX_LEN).await);
    assert!(!kept(MAX_LEN + 1).await);
}

#[tokio::test]
async fn a_subsegment_is_sent_at_its_beginning_and_at_its_end() {
    let (receiver, daemon) = Receiver::new();
    scope_to(daemon, Some(HEADER.to_owned()), async {
        let subsegment = Subsegment::begin("deliver").annotated("epoch", 3);
        let work = async {
            annotate("sessionId", "a-b-1");
            Err::<Infallible, _>("the table is unavailable")
        };
        assert!(subsegment.run_result(work).await.is_err());
    })
    .await;
    let (open, closed) = (receiver.next(), receiver.next());
    assert_eq!(open["in_progress"], true);
    assert_eq!(open["annotations"], json!({"epoch": 3}));
    assert_eq!(open.get("end_time"), None);
    assert_eq!(open["id"], closed["id"]);
    assert_eq!(closed["name"], "deliver");
    assert_eq!(closed["type"], "subsegment");
    assert_eq!(closed["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
    assert_eq!(closed["parent_id"], "53995c3f42cd8ad8");
    assert_eq!(closed["annotations"], json!({"epoch": 3, "sessionId": "a-b-1"}));
    assert_eq!(closed["fault"], true);
    assert_eq!(closed["cause"]["exceptions"][0]["message"], "the table is unavailable");
    assert_eq!(closed.get("in_progress"), None);
    assert!(closed["end_time"].as_f64() >= open["start_time"].as_f64());
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn a_call_belongs_to_its_subsegment_and_its_callee_to_the_call() {
    let (receiver, daemon) = Receiver::new();
    scope_to(daemon, Some(HEADER.to_owned()), async {
        let mut subsegment = Subsegment::begin("deliver");
        subsegment
            .run(async {
                let mut call = AwsCall::begin("Lambda", "Invoke").unwrap();
                let open = receiver.next();
                assert_eq!(receiver.next()["in_progress"], true);
                let header = call.header().to_owned();
                let failure = Some((Failure::Throttle, "TooManyRequestsException".to_owned()));
                let (status, request_id) = (Some(429), Some("r-1"));
                call.end(CallEnd { status, request_id, retries: 2, failure });
                let call = receiver.next();
                assert_eq!(call["parent_id"], open["id"]);
                let id = call["id"].as_str().unwrap();
                assert!(header.contains(&format!(";Parent={id};Sampled=1;Lineage=1:a:2")));
                assert_eq!(call["namespace"], "aws");
                let aws = json!({"operation": "Invoke", "request_id": "r-1", "retries": 2});
                assert_eq!(call["aws"], aws);
                assert_eq!(call["http"], json!({"response": {"status": 429}}));
                assert_eq!((&call["error"], &call["throttle"]), (&json!(true), &json!(true)));
                assert_eq!(call.get("fault"), None);
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn later_calls_are_counted_and_their_callees_record_nothing() {
    let (receiver, daemon) = Receiver::new();
    scope_to(daemon, Some(HEADER.to_owned()), async {
        Subsegment::begin("deliver")
            .run(async {
                for number in 0..10 * RECORDED_CALLS {
                    let mut call = AwsCall::begin("DynamoDB", "Query").unwrap();
                    assert_eq!(call.header().contains("Sampled=1"), number < RECORDED_CALLS);
                    // All calls but the first fail from here on.
                    let failed = number >= 8 * RECORDED_CALLS;
                    let failure = failed.then(|| (Failure::Fault, "500".to_owned()));
                    call.end(CallEnd { failure, ..CallEnd::default() });
                }
            })
            .await;
    })
    .await;
    let mut calls = Vec::new();
    let _open = receiver.next();
    let closed = loop {
        let document = receiver.next();
        match document["name"] == "deliver" {
            true => break document,
            false => calls.push(document["fault"] == true),
        }
    };
    let (early, late) = calls.split_at(RECORDED_CALLS as usize);
    assert!(early.iter().all(|fault| !fault), "{calls:?}");
    assert!(late.len() == RECORDED_CALLS as usize && late.iter().all(|fault| *fault), "{calls:?}");
    let counted = &closed["metadata"]["default"]["callsNotRecorded"]["DynamoDB Query"];
    assert_eq!(*counted, json!(8 * RECORDED_CALLS));
}

#[tokio::test]
async fn work_that_is_dropped_is_sent_as_cancelled() {
    let (receiver, daemon) = Receiver::new();
    scope_to(daemon, Some(HEADER.to_owned()), async {
        let work = Subsegment::begin("deliver").run_result(async {
            let _call = AwsCall::begin("Kinesis Video Media", "GetMedia");
            std::future::pending::<Result<(), Infallible>>().await
        });
        tokio::select! {
            biased;
            _ = work => {}
            () = std::future::ready(()) => {}
        }
    })
    .await;
    let (open, call, closed) = (receiver.next(), receiver.next(), receiver.next());
    assert_eq!(call["parent_id"], open["id"]);
    for document in [call, closed] {
        assert_eq!(document["metadata"]["default"]["outcome"], "cancelled");
        assert!(document["end_time"].is_number());
    }
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_sends_nothing_and_keeps_its_header() {
    let (receiver, daemon) = Receiver::new();
    let header = HEADER.replace("Sampled=1", "Sampled=0");
    scope_to(daemon, Some(header.clone()), async {
        Subsegment::begin("deliver")
            .run(async {
                assert!(AwsCall::begin("Lambda", "Invoke").is_none());
                assert_eq!(current(), Some(header));
            })
            .await;
    })
    .await;
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn the_number_of_subsegments_is_bounded() {
    let (receiver, daemon) = Receiver::new();
    scope_to(daemon, Some(HEADER.to_owned()), async {
        let mut recorded = 0;
        for _ in 0..150 {
            let subsegment = Subsegment::begin("restart");
            subsegment.run_result(async { Ok::<_, Infallible>(()) }).await.unwrap();
            while !receiver.is_empty() {
                recorded += 1;
            }
        }
        assert_eq!(recorded, 200, "each in progress and at its end");
    })
    .await;
}
