//! The control plane of Kinesis Video Streams accepts and refuses requests as AWS does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod kvs_support;

use std::time::Duration;

use kvs_support::{Server, until};
use serde_json::{Value, json};

const IN_USE: &str = "ResourceInUseException";
const INVALID: &str = "InvalidArgumentException";
const NOT_FOUND: &str = "ResourceNotFoundException";

#[tokio::test]
async fn a_stream_is_creating_then_active_then_deleting_then_gone() {
    let server = Server::start(2.0).await;
    let by_name = json!({ "StreamName": "talk" });
    let request =
        json!({ "StreamName": "talk", "DataRetentionInHours": 24, "Tags": { "app": "x" } });
    let made = server.ok("/createStream", request.clone()).await;
    let arn = made["StreamARN"].as_str().unwrap();
    let info = &server.ok("/describeStream", by_name.clone()).await["StreamInfo"];
    assert_eq!(info["Status"], "CREATING");
    assert_eq!((&info["StreamARN"], &info["DataRetentionInHours"]), (&json!(arn), &json!(24)));
    let created = info["CreationTime"].as_f64().unwrap();
    let millis = (created * 1000.0).round() as i64;
    let wanted = format!("arn:aws:kinesisvideo:us-east-1:000000000000:stream/talk/{millis}");
    assert_eq!(arn, wanted);
    server.refused("/deleteStream", json!({ "StreamARN": arn }), 400, IN_USE).await;
    until(async || {
        let info = server.ok("/describeStream", json!({ "StreamARN": arn })).await;
        info["StreamInfo"]["Status"] == "ACTIVE"
    })
    .await;
    server.refused("/createStream", request.clone(), 400, IN_USE).await;

    server.ok("/deleteStream", json!({ "StreamARN": arn })).await;
    let info = &server.ok("/describeStream", by_name.clone()).await["StreamInfo"];
    assert_eq!(info["Status"], "DELETING");
    server.refused("/createStream", request.clone(), 400, IN_USE).await;
    server.refused("/deleteStream", json!({ "StreamARN": arn }), 400, IN_USE).await;
    until(async || server.call("/describeStream", by_name.clone()).await.status == 404).await;
    server.refused("/deleteStream", json!({ "StreamARN": arn }), 404, NOT_FOUND).await;

    let again = server.ok("/createStream", request).await;
    assert_ne!(again["StreamARN"], arn);
    server.refused("/describeStream", json!({ "StreamARN": arn }), 404, NOT_FOUND).await;
}

#[tokio::test]
async fn a_channel_is_creating_then_active_then_deleting_then_gone() {
    let server = Server::start(2.0).await;
    let by_name = json!({ "ChannelName": "talk" });
    let tags = json!([{ "Key": "app", "Value": "x" }]);
    let made =
        server.ok("/createSignalingChannel", json!({ "ChannelName": "talk", "Tags": tags })).await;
    let by_arn = json!({ "ChannelARN": made["ChannelARN"] });
    let info = &server.ok("/describeSignalingChannel", by_name.clone()).await["ChannelInfo"];
    assert_eq!(info["ChannelStatus"], "CREATING");
    assert_eq!(info["SingleMasterConfiguration"]["MessageTtlSeconds"], 60);
    server.refused("/deleteSignalingChannel", by_arn.clone(), 400, IN_USE).await;
    until(async || {
        let answer = server.ok("/describeSignalingChannel", by_arn.clone()).await;
        answer["ChannelInfo"]["ChannelStatus"] == "ACTIVE"
    })
    .await;
    server.refused("/createSignalingChannel", by_name.clone(), 400, IN_USE).await;
    server.ok("/deleteSignalingChannel", by_arn.clone()).await;
    server.refused("/createSignalingChannel", by_name.clone(), 400, IN_USE).await;
    until(async || server.call("/describeSignalingChannel", by_name.clone()).await.status == 404)
        .await;
    server.refused("/deleteSignalingChannel", by_arn, 404, NOT_FOUND).await;
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let server = Server::start(100.0).await;
    let long = "x".repeat(257);
    for name in ["", "a b", "a/b", "ä", long.as_str()] {
        server.refused("/createStream", json!({ "StreamName": name }), 400, INVALID).await;
        let request = json!({ "ChannelName": name });
        server.refused("/createSignalingChannel", request, 400, INVALID).await;
    }
    server.refused("/createStream", json!({}), 400, INVALID).await;
    server.refused("/createStream", json!({ "StreamName": 5 }), 400, INVALID).await;
    let request = json!({ "StreamName": "s", "DataRetentionInHours": -1 });
    server.refused("/createStream", request, 400, INVALID).await;
    server.refused("/describeStream", json!({}), 400, INVALID).await;
    server.refused("/describeStream", json!({ "StreamName": "none" }), 404, NOT_FOUND).await;
    server.refused("/noSuchThing", json!({}), 404, "UnknownOperationException").await;
    server.refused("/createStream", json!([]), 400, "SerializationException").await;
    let tags: serde_json::Map<String, Value> =
        (0..51).map(|n| (format!("k{n}"), json!("v"))).collect();
    let request = json!({ "StreamName": "s", "Tags": tags });
    server.refused("/createStream", request, 400, "TagsPerResourceExceededLimitException").await;
}

#[tokio::test]
async fn a_channels_arn_is_no_streams_arn() {
    let server = Server::start(100.0).await;
    let channel = server.channel("talk").await;
    let stream = server.stream("talk", 1).await;
    for path in ["/describeStream", "/deleteStream"] {
        server.refused(path, json!({ "StreamARN": channel }), 400, INVALID).await;
    }
    let request = json!({ "StreamARN": channel, "APIName": "GET_MEDIA" });
    server.refused("/getDataEndpoint", request, 400, INVALID).await;
    let start = json!({ "StartSelectorType": "NOW" });
    let request = json!({ "StreamARN": channel, "StartSelector": start });
    server.refused("/getMedia", request, 400, INVALID).await;
    server.refused("/deleteSignalingChannel", json!({ "ChannelARN": stream }), 400, INVALID).await;
}

#[tokio::test]
async fn a_mapping_joins_one_channel_with_one_stream() {
    let server = Server::start(4.0).await;
    let map = |channel: &str, stream: &str, status: &str| {
        let storage = json!({ "Status": status, "StreamARN": stream });
        json!({ "ChannelARN": channel, "MediaStorageConfiguration": storage })
    };
    const UPDATE: &str = "/updateMediaStorageConfiguration";
    let (a, b) = (server.channel("a").await, server.channel("b").await);
    let (x, y) = (server.stream("x", 24).await, server.stream("y", 24).await);
    let empty = server.stream("empty", 0).await;

    server.refused(UPDATE, map(&a, &empty, "ENABLED"), 400, "NoDataRetentionException").await;
    server.refused(UPDATE, map(&a, &b, "ENABLED"), 400, INVALID).await;
    let gone = x.replace("stream/x", "stream/z");
    server.refused(UPDATE, map(&a, &gone, "ENABLED"), 404, NOT_FOUND).await;
    let no_stream =
        json!({ "ChannelARN": a, "MediaStorageConfiguration": { "Status": "ENABLED" } });
    server.refused(UPDATE, no_stream, 400, INVALID).await;
    let fresh = server.ok("/createSignalingChannel", json!({ "ChannelName": "fresh" })).await;
    let fresh = fresh["ChannelARN"].as_str().unwrap();
    server.refused(UPDATE, map(fresh, &x, "ENABLED"), 400, IN_USE).await;

    let described =
        server.ok("/describeMediaStorageConfiguration", json!({ "ChannelARN": a })).await;
    assert_eq!(described["MediaStorageConfiguration"], json!({ "Status": "DISABLED" }));
    server.ok(UPDATE, map(&a, &x, "ENABLED")).await;
    server.ok(UPDATE, map(&a, &x, "ENABLED")).await;
    server.refused(UPDATE, map(&a, &y, "ENABLED"), 400, IN_USE).await;
    server.refused(UPDATE, map(&b, &x, "ENABLED"), 400, IN_USE).await;
    let described =
        server.ok("/describeMediaStorageConfiguration", json!({ "ChannelName": "a" })).await;
    let wanted = json!({ "Status": "ENABLED", "StreamARN": x });
    assert_eq!(described["MediaStorageConfiguration"], wanted);
    let mapped = server.ok("/describeMappedResourceConfiguration", json!({ "StreamARN": x })).await;
    assert_eq!(mapped["MappedResourceConfigurationList"][0]["ARN"], a);

    // An account has ten calls per second, including refused ones.
    server.clock.sleep(Duration::from_secs(1)).await;
    server.ok(UPDATE, map(&a, &x, "DISABLED")).await;
    server.ok(UPDATE, map(&b, &x, "ENABLED")).await;
    server.ok(UPDATE, unmap(&b)).await;
    let mapped =
        server.ok("/describeMappedResourceConfiguration", json!({ "StreamName": "x" })).await;
    assert_eq!(mapped["MappedResourceConfigurationList"], json!([]));
}

/// Storage DISABLED; no StreamARN is needed.
fn unmap(channel: &str) -> Value {
    json!({ "ChannelARN": channel, "MediaStorageConfiguration": { "Status": "DISABLED" } })
}

#[tokio::test]
async fn what_is_mapped_is_not_deleted() {
    let server = Server::start(20.0).await;
    const UPDATE: &str = "/updateMediaStorageConfiguration";
    let (a, b) = (server.channel("a").await, server.channel("b").await);
    let (x, y) = (server.stream("x", 24).await, server.stream("y", 24).await);
    let storage = json!({ "Status": "ENABLED", "StreamARN": x });
    server.ok(UPDATE, json!({ "ChannelARN": a, "MediaStorageConfiguration": storage })).await;
    let deletions = [
        ("/deleteSignalingChannel", json!({ "ChannelARN": a }), "channel"),
        ("/deleteStream", json!({ "StreamARN": x }), "stream"),
    ];
    for (path, request, resource) in &deletions {
        let refused = server.call(path, request.clone()).await;
        assert_eq!((refused.status, refused.code.as_str()), (400, IN_USE));
        let words = format!("Disable MediaStorageConfiguration to delete the {resource}");
        assert!(refused.body.to_string().contains(&words), "{}", refused.body);
    }
    let put = server.put_all("x", "1.0", kvs_support::recording(1)).await;
    assert_eq!(put.last().unwrap()["EventType"], "PERSISTED", "a refusal changes nothing");
    // Their neighbours are not mapped; a mapping that never existed can be removed.
    server.ok(UPDATE, unmap(&b)).await;
    server.ok("/deleteSignalingChannel", json!({ "ChannelARN": b })).await;
    server.ok("/deleteStream", json!({ "StreamARN": y })).await;
    server.ok(UPDATE, unmap(&a)).await;
    for (path, request, _) in deletions {
        server.ok(path, request).await;
    }
}

#[tokio::test]
async fn an_account_has_a_hundred_mappings() {
    let server = Server::start(20.0).await;
    let pair = async |name: String| {
        let (channel, stream) = tokio::join!(server.channel(&name), server.stream(&name, 24));
        let storage = json!({ "Status": "ENABLED", "StreamARN": stream });
        json!({ "ChannelARN": channel, "MediaStorageConfiguration": storage })
    };
    const UPDATE: &str = "/updateMediaStorageConfiguration";
    const LIMIT: &str = "ClientLimitExceededException";
    let names = (0..101).map(|nth| pair(format!("talk-{nth}")));
    let pairs = futures_util::future::join_all(names).await;
    for some in pairs[..100].chunks(9) {
        // Ten changes a second are allowed.
        server.clock.sleep(Duration::from_secs(1)).await;
        for pair in some {
            server.ok(UPDATE, pair.clone()).await;
        }
    }
    server.clock.sleep(Duration::from_secs(1)).await;
    server.refused(UPDATE, pairs[100].clone(), 400, LIMIT).await;
    server.ok(UPDATE, pairs[99].clone()).await;
    server.ok(UPDATE, unmap(pairs[0]["ChannelARN"].as_str().unwrap())).await;
    server.ok(UPDATE, pairs[100].clone()).await;
}

#[tokio::test]
async fn only_a_mapped_channel_has_a_webrtc_endpoint() {
    let server = Server::start(50.0).await;
    let (channel, stream) = (server.channel("a").await, server.stream("x", 24).await);
    let ask = json!({
        "ChannelARN": channel,
        "SingleMasterChannelEndpointConfiguration":
            { "Protocols": ["WSS", "HTTPS", "WEBRTC"], "Role": "MASTER" },
    });
    server.refused("/getSignalingChannelEndpoint", ask.clone(), 400, INVALID).await;
    let storage = json!({ "Status": "ENABLED", "StreamARN": stream });
    let request = json!({ "ChannelARN": channel, "MediaStorageConfiguration": storage });
    server.ok("/updateMediaStorageConfiguration", request).await;
    let answer = server.ok("/getSignalingChannelEndpoint", ask).await;
    let protocols: Vec<&str> = answer["ResourceEndpointList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|endpoint| endpoint["Protocol"].as_str().unwrap())
        .collect();
    assert_eq!(protocols, ["WSS", "HTTPS", "WEBRTC"]);
}

#[tokio::test]
async fn the_data_endpoint_is_this_server() {
    let server = Server::start(100.0).await;
    let ask = json!({ "StreamName": "x", "APIName": "GET_MEDIA" });
    server.refused("/getDataEndpoint", ask.clone(), 404, NOT_FOUND).await;
    server.stream("x", 1).await;
    assert_eq!(server.ok("/getDataEndpoint", ask).await["DataEndpoint"], server.url);
    let ask = json!({ "StreamName": "x", "APIName": "GET_TEA" });
    server.refused("/getDataEndpoint", ask, 400, INVALID).await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = Server::start(1.0).await;
    for name in ["b", "a", "session-2", "session-1", "session-3"] {
        server.ok("/createStream", json!({ "StreamName": name })).await;
        server.ok("/createSignalingChannel", json!({ "ChannelName": name })).await;
    }
    for (path, list, name, condition) in [
        ("/listStreams", "StreamInfoList", "StreamName", "StreamNameCondition"),
        ("/listSignalingChannels", "ChannelInfoList", "ChannelName", "ChannelNameCondition"),
    ] {
        let mut names = Vec::new();
        let mut token = json!(null);
        loop {
            let answer = server.ok(path, json!({ "MaxResults": 2, "NextToken": token })).await;
            let page = answer[list].as_array().unwrap();
            assert!(page.len() <= 2);
            names.extend(page.iter().map(|info| info[name].as_str().unwrap().to_owned()));
            token = answer["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(names, ["a", "b", "session-1", "session-2", "session-3"]);
        let rule = json!({ "ComparisonOperator": "BEGINS_WITH", "ComparisonValue": "session-" });
        let answer = server.ok(path, json!({ condition: rule })).await;
        assert_eq!(answer[list].as_array().unwrap().len(), 3);
        server.refused(path, json!({ "NextToken": "?" }), 400, INVALID).await;
        server.refused(path, json!({ "MaxResults": 0 }), 400, INVALID).await;
    }
}

#[tokio::test]
async fn tags_are_added_listed_and_removed() {
    let server = Server::start(100.0).await;
    let (channel, stream) = (server.channel("c").await, server.stream("s", 1).await);
    let by_stream = json!({ "StreamName": "s" });
    server.ok("/tagStream", json!({ "StreamARN": stream, "Tags": { "a": "1", "b": "2" } })).await;
    server.ok("/untagStream", json!({ "StreamName": "s", "TagKeyList": ["a"] })).await;
    assert_eq!(server.ok("/listTagsForStream", by_stream).await["Tags"], json!({ "b": "2" }));
    let tags = json!([{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "" }]);
    server.ok("/TagResource", json!({ "ResourceARN": channel, "Tags": tags })).await;
    server.ok("/UntagResource", json!({ "ResourceARN": channel, "TagKeyList": ["a"] })).await;
    let answer = server.ok("/ListTagsForResource", json!({ "ResourceARN": channel })).await;
    assert_eq!(answer["Tags"], json!({ "b": "" }));
}

#[tokio::test]
async fn updates_are_guarded_by_the_version() {
    let server = Server::start(100.0).await;
    server.stream("s", 0).await;
    let version = async || {
        let answer = server.ok("/describeStream", json!({ "StreamName": "s" })).await;
        answer["StreamInfo"]["Version"].as_str().unwrap().to_owned()
    };
    let old = version().await;
    let change = |version: &str, operation: &str, hours: u64| {
        json!({ "StreamName": "s", "CurrentVersion": version, "Operation": operation,
                "DataRetentionChangeInHours": hours })
    };
    const PATH: &str = "/updateDataRetention";
    server.ok(PATH, change(&old, "INCREASE_DATA_RETENTION", 5)).await;
    let mismatch = "VersionMismatchException";
    server.refused(PATH, change(&old, "INCREASE_DATA_RETENTION", 5), 400, mismatch).await;
    let new = version().await;
    server.refused(PATH, change(&new, "DECREASE_DATA_RETENTION", 6), 400, INVALID).await;
    server.ok(PATH, change(&new, "DECREASE_DATA_RETENTION", 5)).await;
    let answer = server.ok("/describeStream", json!({ "StreamName": "s" })).await;
    assert_eq!(answer["StreamInfo"]["DataRetentionInHours"], 0);
    let request = json!({ "StreamName": "s", "CurrentVersion": old, "MediaType": "audio/opus" });
    server.refused("/updateStream", request, 400, mismatch).await;
}

#[tokio::test]
async fn faults_apply_to_calls_on_demand() {
    let server = Server::start(100.0).await;
    server.fault(json!({ "service": "kinesisvideo", "operation": "CreateStream", "target": "s",
        "status": 400, "code": "AccountStreamLimitExceededException" }));
    let request = json!({ "StreamName": "s" });
    let code = "AccountStreamLimitExceededException";
    server.refused("/createStream", request.clone(), 400, code).await;
    server.fault(json!({ "service": "kinesisvideo", "operation": "CreateStream",
        "kind": "answer-lost", "status": 503, "code": "ServiceUnavailable" }));
    server.refused("/createStream", request.clone(), 503, "ServiceUnavailable").await;
    server.refused("/createStream", request, 400, IN_USE).await;
}
