//! X-Ray as its clients see it: documents by API and by UDP, Lambda's segments of an invocation,
//! and what is refused.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::support::{Answer, TestCloud};

/// Returns a new trace id, and the header of a sampled trace with it.
fn new_trace() -> (String, String) {
    let seconds = local_aws::clock::real_now_ms() / 1000;
    let id = format!("1-{seconds:08x}-{:024x}", rand::random::<u64>());
    let header = format!("Root={id};Parent=53995c3f42cd8ad8;Sampled=1");
    (id, header)
}

async fn call(cloud: &TestCloud, path: &str, body: Value) -> Answer {
    cloud.send(cloud.signed("xray", path).json(&body)).await
}

/// Returns the segments of a trace.
async fn segments(cloud: &TestCloud, id: &str) -> Vec<Value> {
    let answer = call(cloud, "/Traces", json!({ "TraceIds": [id] })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let segments = answer.body["Traces"][0]["Segments"].as_array().cloned().unwrap_or_default();
    let document = |it: Value| serde_json::from_str(it["Document"].as_str().unwrap()).unwrap();
    segments.into_iter().map(document).collect()
}

fn with_origin<'a>(segments: &'a [Value], origin: &str) -> Vec<&'a Value> {
    segments.iter().filter(|segment| segment["origin"] == origin).collect()
}

async fn found(cloud: &TestCloud, filter: &str) -> Vec<Value> {
    let now = local_aws::clock::real_now_ms() as f64 / 1000.0;
    let range = json!({
        "StartTime": now - 60.0, "EndTime": now + 60.0, "FilterExpression": filter,
    });
    let answer = call(cloud, "/TraceSummaries", range).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["TraceSummaries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_invocation_has_the_segments_of_lambda() {
    let cloud = TestCloud::start(1).await;
    let (id, header) = new_trace();
    for payload in [json!({}), json!({"do": "fail"})] {
        cloud.request("echo", payload, &[("x-amzn-trace-id", &header)]).await;
    }
    let segments = segments(&cloud, &id).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:echo-dev";
    let [first, second] = &with_origin(&segments, "AWS::Lambda")[..] else {
        panic!("{segments:?}")
    };
    assert_eq!(
        (&first["parent_id"], &first["resource_arn"]),
        (&json!("53995c3f42cd8ad8"), &json!(arn))
    );
    assert_eq!(first["http"]["response"]["status"], 200);
    assert!(first["aws"]["request_id"].is_string());
    let [good, bad] = &with_origin(&segments, "AWS::Lambda::Function")[..] else { panic!() };
    assert_eq!((&good["parent_id"], &bad["parent_id"]), (&first["id"], &second["id"]));
    assert_eq!(good["aws"]["function_arn"], arn);
    let names = |it: &Value| -> Vec<Value> {
        it["subsegments"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect()
    };
    assert_eq!(names(good), ["Initialization", "Invocation"], "a new process");
    assert_eq!(names(bad), ["Invocation"], "the same process");
    assert_eq!(
        (good.get("fault"), &bad["fault"], &second["fault"]),
        (None, &json!(true), &json!(true))
    );
    assert_eq!(bad["cause"]["exceptions"][0]["message"], "failed as requested");
    let summary = &found(&cloud, r#"fault AND service("echo-dev")"#).await[0];
    assert_eq!((&summary["Id"], &summary["HasFault"]), (&json!(id), &json!(true)));
    assert_eq!(summary["EntryPoint"]["Type"], "AWS::Lambda");
    assert!(found(&cloud, "ok").await.is_empty());
}

#[tokio::test]
async fn an_event_and_its_retries_are_one_trace() {
    let cloud = TestCloud::start(600).await;
    let (id, header) = new_trace();
    let headers = [("x-amz-invocation-type", "Event"), ("x-amzn-trace-id", &*header)];
    assert_eq!(cloud.request("echo", json!({"do": "fail"}), &headers).await.status, 202);
    let is_over = async |cloud: &TestCloud| {
        let segments = segments(cloud, &id).await;
        with_origin(&segments, "AWS::Lambda::Function").len() == 3
            && segments.iter().all(|it| it["in_progress"] != true)
            && cloud.state().await["lambda"]["waitingEvents"] == 0
    };
    cloud.until("three attempts", is_over).await;
    let segments = segments(&cloud, &id).await;
    let [request] = &with_origin(&segments, "AWS::Lambda")[..] else { panic!("{segments:?}") };
    assert_eq!(request["http"]["response"]["status"], 202);
    let parts = request["subsegments"].as_array().unwrap();
    let names: Vec<_> = parts.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Dwell Time", "Attempt #1", "Attempt #2", "Attempt #3"]);
    for (run, attempt) in with_origin(&segments, "AWS::Lambda::Function").iter().zip(&parts[1..]) {
        assert_eq!(run["parent_id"], attempt["id"]);
        assert_eq!((&run["fault"], &attempt["fault"]), (&json!(true), &json!(true)));
    }
}

#[tokio::test]
async fn lambda_samples_what_the_function_is_set_to_trace() {
    let cloud = TestCloud::start(1).await;
    for (function, sampled) in [("short-dev", true), ("echo-dev", false)] {
        let answer = cloud.invoke(function, json!({})).await;
        let header = answer.body["trace"].as_str().unwrap();
        assert_eq!(header.contains(";Sampled=1"), sampled, "{function}: {header}");
        let id = header.split(';').next().unwrap().strip_prefix("Root=").unwrap();
        assert_eq!(!segments(&cloud, id).await.is_empty(), sampled, "{function}");
    }
    let (id, header) = new_trace();
    let decided = header.replace("Sampled=1", "Sampled=0");
    cloud.request("short-dev", json!({}), &[("x-amzn-trace-id", &decided)]).await;
    assert!(segments(&cloud, &id).await.is_empty(), "the caller has decided");
}

#[tokio::test]
async fn a_refused_request_is_a_segment_without_a_run() {
    let cloud = TestCloud::start(1).await;
    let fault = json!({"service": "lambda", "operation": "Invoke", "status": 429,
        "code": "TooManyRequestsException"});
    cloud.fault(fault).await;
    let (id, header) = new_trace();
    cloud.request("echo", json!({}), &[("x-amzn-trace-id", &header)]).await;
    let segments = segments(&cloud, &id).await;
    let [request] = &segments[..] else { panic!("{segments:?}") };
    assert_eq!(request["http"]["response"]["status"], 429);
    assert_eq!((&request["error"], &request["throttle"]), (&json!(true), &json!(true)));
    assert_eq!(request.get("fault"), None);
}

#[tokio::test]
async fn documents_arrive_by_udp_and_by_api_and_wrong_ones_are_refused() {
    let cloud = TestCloud::start(1).await;
    let (id, _) = new_trace();
    let document = |number: u32, fields: Value| {
        let mut document = json!({
            "name": "piece", "id": format!("{number:016x}"), "trace_id": id,
            "start_time": 1_700_000_000.0 + f64::from(number), "end_time": 1_700_000_100.0,
        });
        document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        document.to_string()
    };
    let sent = [
        document(1, json!({"annotations": {"sessionId": "a-b-1", "epoch": 3}})),
        document(2, json!({"name": "{}"})),
        "{".to_owned(),
    ];
    let answer = call(&cloud, "/TraceSegments", json!({"TraceSegmentDocuments": sent})).await;
    let unprocessed = json!([
        {"Id": "0000000000000002", "ErrorCode": "InvalidName",
            "Message": "Invalid segment. ErrorCode: InvalidName"},
        {"Id": null, "ErrorCode": "ParseError", "Message": "Invalid segment. ErrorCode: ParseError"},
    ]);
    assert_eq!(answer.body, json!({"UnprocessedTraceSegments": unprocessed}));

    let environment = cloud.invoke("echo", json!({})).await.body["environment"].clone();
    let daemon = environment["AWS_XRAY_DAEMON_ADDRESS"].as_str().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let part = document(4, json!({"type": "subsegment", "parent_id": "0000000000000001"}));
    for datagram in [
        part.clone(),
        format!("{{\"format\": \"xml\"}}\n{part}"),
        "{\"format\": \"json\", \"version\": 1}\n{}".to_owned(),
        format!("{{\"format\": \"json\", \"version\": 1}}\n{part}"),
    ] {
        socket.send_to(datagram.as_bytes(), daemon).unwrap();
    }
    cloud
        .until("the subsegment", async |cloud: &TestCloud| {
            segments(cloud, &id).await[0]["subsegments"].is_array()
        })
        .await;
    let whole = &segments(&cloud, &id).await[0];
    assert_eq!(whole["subsegments"].as_array().unwrap().len(), 1);
    assert_eq!(whole["subsegments"][0]["id"], "0000000000000004");
    assert_eq!(cloud.state().await["xray"]["traces"], 1);
}

#[tokio::test]
async fn traces_are_found_by_annotation_and_time() {
    let cloud = TestCloud::start(1).await;
    let now = local_aws::clock::real_now_ms() as f64 / 1000.0;
    let mut documents = Vec::new();
    for number in 0..3 {
        documents.push(
            json!({
                "name": "f", "id": "00000000000000aa", "trace_id": new_trace().0,
                "start_time": now + f64::from(number) / 10.0, "end_time": now + 1.0,
                "annotations": {"sessionId": format!("a-b-{number}"), "epoch": number},
            })
            .to_string(),
        );
    }
    call(&cloud, "/TraceSegments", json!({"TraceSegmentDocuments": documents})).await;
    let one = found(&cloud, r#"annotation.sessionId = "a-b-1""#).await;
    let [summary] = &one[..] else { panic!("{one:?}") };
    let values = &summary["Annotations"]["sessionId"][0];
    assert_eq!(values["AnnotationValue"], json!({"StringValue": "a-b-1"}));
    assert_eq!(values["ServiceIds"][0]["Name"], "f");
    assert_eq!(found(&cloud, "annotation[epoch] = 2").await.len(), 1);
    assert_eq!(found(&cloud, "annotation[epoch] != 2").await.len(), 2);
    assert_eq!(found(&cloud, "").await.len(), 3);
    for (body, reason) in [
        (json!({"StartTime": now}), "EndTime is missing"),
        (json!({"StartTime": now, "EndTime": now - 1.0}), "before EndTime"),
        (json!({"StartTime": now - 22_000.0, "EndTime": now}), "longer than 6 hours"),
        (json!({"StartTime": now, "EndTime": now, "FilterExpression": "duration > 1"}), "duration"),
        (json!({"StartTime": now, "EndTime": now, "NextToken": "x"}), "NextToken"),
    ] {
        let answer = call(&cloud, "/TraceSummaries", body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("x-amzn-errortype"), Some("InvalidRequestException"));
        assert!(answer.body["Message"].as_str().unwrap().contains(reason), "{}", answer.body);
    }
    let answer = call(&cloud, "/Traces", json!({"TraceIds": ["1", "2", "3", "4", "5", "6"]})).await;
    assert_eq!(answer.status, 400);
    let unknown = call(&cloud, "/Traces", json!({"TraceIds": [new_trace().0]})).await;
    assert_eq!(unknown.body, json!({"Traces": [], "UnprocessedTraceIds": []}));
    assert_eq!(call(&cloud, "/ServiceGraph", json!({})).await.status, 501);
}
