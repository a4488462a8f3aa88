//! EventBridge over HTTP: events are matched, delivered, retried, or dead-lettered with a reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod events_support;

use events_support::Cloud;
use serde_json::{Value, json};

fn fault(cloud: &Cloud, fault: Value) {
    cloud.faults.add(serde_json::from_value(fault).unwrap()).unwrap();
}

fn attribute<'a>(message: &'a Value, name: &str) -> Option<&'a str> {
    message["MessageAttributes"][name]["StringValue"].as_str()
}

#[tokio::test]
async fn a_matching_event_arrives_in_its_envelope_and_another_does_not() {
    let cloud = Cloud::open(20.0).await;
    cloud.put("session-management", "PAUSED").await;
    let answer = cloud.put("session-management", "ACTIVE").await;
    assert_eq!(answer["FailedEntryCount"], 0);
    let event: Value =
        serde_json::from_str(cloud.next("inbox").await.unwrap()["Body"].as_str().unwrap()).unwrap();
    assert_eq!(event["id"], answer["Entries"][0]["EventId"]);
    assert_eq!(event["version"], "0");
    assert_eq!(event["detail-type"], "Session Status Change");
    assert_eq!(event["detail"]["status"], "ACTIVE");
    assert_eq!(
        (event["resources"].clone(), event["region"].clone()),
        (json!([]), json!("us-east-1"))
    );
    assert!(event["time"].as_str().unwrap().len() == "2025-11-25T12:57:00Z".len());
    assert!(cloud.next("inbox").await.is_none());
}

#[tokio::test]
async fn entries_fail_one_by_one_and_a_call_as_a_whole() {
    let cloud = Cloud::open(20.0).await;
    let good = json!({"Source": "session-management", "DetailType": "t", "Detail": "{}"});
    let bad = json!({"Source": "s", "DetailType": "t", "Detail": "no"});
    let other = json!({"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": "other"});
    let answer = cloud.ok("AWSEvents.PutEvents", json!({"Entries": [good, bad, other]})).await;
    assert_eq!(answer["FailedEntryCount"], 2);
    assert!(answer["Entries"][0]["EventId"].is_string());
    assert_eq!(answer["Entries"][1]["ErrorCode"], "MalformedDetail");
    assert_eq!(answer["Entries"][2]["ErrorCode"], "ResourceNotFoundException");
    let large = json!({"Source": "s", "DetailType": "t", "Detail": format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20))});
    for entries in [json!([]), Value::Array(vec![good.clone(); 11]), json!([large])] {
        let (status, error) = cloud.call("AWSEvents.PutEvents", json!({"Entries": entries})).await;
        assert_eq!((status, error["__type"].as_str()), (400, Some("ValidationException")));
    }
    fault(
        &cloud,
        json!({"service": "events", "operation": "PutEvents", "kind": "entry", "code": "ThrottlingException"}),
    );
    let answer = cloud.put("session-management", "ACTIVE").await;
    assert_eq!(answer["FailedEntryCount"], 1);
    assert_eq!(answer["Entries"][0]["ErrorCode"], "ThrottlingException");
    fault(&cloud, json!({"service": "events", "operation": "PutEvents", "status": 503}));
    let (status, _) = cloud.call("AWSEvents.PutEvents", json!({"Entries": [good]})).await;
    assert_eq!(status, 503);
    // None of these events was published.
    assert_eq!(cloud.events.state()["rules"]["to-inbox"]["matched"], 0);
}

#[tokio::test]
async fn a_failing_delivery_is_retried_and_then_dead_lettered_with_its_reason() {
    let cloud = Cloud::open(200.0).await;
    fault(
        &cloud,
        json!({"service": "events", "operation": "Deliver", "target": "to-inbox", "times": 2}),
    );
    cloud.put("session-management", "ACTIVE").await;
    cloud.until("the delivery", |state| state["rules"]["to-inbox"]["delivered"] == 1).await;
    fault(
        &cloud,
        json!({"service": "events", "operation": "Deliver", "target": "to-inbox", "times": 3, "status": 503, "message": "down"}),
    );
    cloud.put("session-management", "ENDED").await;
    cloud.until("the dead letter", |state| state["rules"]["to-inbox"]["deadLettered"] == 1).await;
    let letter = cloud.next("dead").await.unwrap();
    assert!(letter["Body"].as_str().unwrap().contains("ENDED"));
    assert!(attribute(&letter, "RULE_ARN").unwrap().ends_with("rule/to-inbox"));
    assert!(attribute(&letter, "TARGET_ARN").unwrap().ends_with(":inbox"));
    assert_eq!(attribute(&letter, "ERROR_CODE"), Some("INTERNAL_ERROR"));
    assert_eq!(attribute(&letter, "ERROR_MESSAGE"), Some("down"));
    assert_eq!(attribute(&letter, "RETRY_ATTEMPTS"), Some("2"));
    assert_eq!(attribute(&letter, "EXHAUSTED_RETRY_CONDITION"), Some("MaximumRetryAttempts"));
}

#[tokio::test]
async fn a_missing_function_is_dead_lettered_at_once_if_the_queue_admits_the_rule() {
    let cloud = Cloud::open(20.0).await;
    cloud.put("missing", "ACTIVE").await;
    let letter = cloud.next("dead").await.unwrap();
    assert_eq!(attribute(&letter, "ERROR_CODE"), Some("NO_RESOURCE"));
    assert_eq!(attribute(&letter, "RETRY_ATTEMPTS"), Some("0"));
    assert_eq!(attribute(&letter, "EXHAUSTED_RETRY_CONDITION"), None);
    // The policy allows only the other rule.
    cloud.put("without-permission", "ACTIVE").await;
    cloud.until("the loss", |state| state["rules"]["without-permission"]["lost"] == 1).await;
    assert!(cloud.next("dead").await.is_none());
}

#[tokio::test]
async fn a_schedule_fires_with_its_input_while_it_is_enabled() {
    let cloud = Cloud::open(600.0).await;
    cloud.ok("AWSEvents.EnableRule", json!({"Name": "each-minute"})).await;
    cloud
        .until("two minutes", |state| {
            state["rules"]["each-minute"]["delivered"].as_u64() >= Some(2)
        })
        .await;
    assert_eq!(cloud.next("inbox").await.unwrap()["Body"], r#"{"action":"health_check"}"#);
    let rule = cloud.ok("AWSEvents.DescribeRule", json!({"Name": "each-minute"})).await;
    assert_eq!(rule["ScheduleExpression"], "rate(1 minute)");
    cloud.ok("AWSEvents.DisableRule", json!({"Name": "each-minute"})).await;
    assert_eq!(cloud.events.state()["rules"]["each-minute"]["enabled"], false);
}

#[tokio::test]
async fn a_replay_sends_what_the_archive_kept() {
    let cloud = Cloud::open(20.0).await;
    cloud.put("session-management", "ACTIVE").await;
    cloud.put("missing", "ACTIVE").await;
    let first = cloud.next("inbox").await.unwrap();
    assert_eq!(cloud.events.state()["archives"]["kept"]["events"], 1);
    let archive = cloud.ok("AWSEvents.DescribeArchive", json!({"ArchiveName": "kept"})).await;
    let request = json!({
        "ReplayName": "again", "EventSourceArn": archive["ArchiveArn"],
        "Destination": {"Arn": archive["EventSourceArn"]},
        "EventStartTime": 0, "EventEndTime": cloud.clock.now_ms() as f64 / 1000.0 + 60.0,
    });
    cloud.ok("AWSEvents.StartReplay", request.clone()).await;
    let again = cloud.next("inbox").await.unwrap();
    let body = |message: &Value| -> Value {
        serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()
    };
    assert_eq!(body(&again)["id"], body(&first)["id"]);
    assert_eq!(body(&again)["replay-name"], "again");
    let replay = cloud.ok("AWSEvents.DescribeReplay", json!({"ReplayName": "again"})).await;
    assert_eq!(replay["State"], "COMPLETED");
    // A replayed event is not archived again.
    assert_eq!(cloud.events.state()["archives"]["kept"]["events"], 1);
    let (status, error) = cloud.call("AWSEvents.StartReplay", request).await;
    assert_eq!((status, error["__type"].as_str()), (400, Some("ResourceAlreadyExistsException")));
}

#[tokio::test]
async fn patterns_are_tested_and_rules_are_shown() {
    let cloud = Cloud::open(1.0).await;
    let request = json!({
        "EventPattern": include_str!("../../../events/rule-pattern.json"),
        "Event": include_str!("../../../events/test-event.json"),
    });
    assert_eq!(cloud.ok("AWSEvents.TestEventPattern", request.clone()).await["Result"], true);
    let mut wrong = request.clone();
    wrong["EventPattern"] = json!("{\"source\": \"x\"}");
    let (status, error) = cloud.call("AWSEvents.TestEventPattern", wrong).await;
    assert_eq!((status, error["__type"].as_str()), (400, Some("InvalidEventPatternException")));
    let rules = cloud.ok("AWSEvents.ListRules", json!({"NamePrefix": "to-"})).await;
    assert_eq!(rules["Rules"].as_array().unwrap().len(), 2);
    let targets = cloud.ok("AWSEvents.ListTargetsByRule", json!({"Rule": "to-inbox"})).await;
    assert_eq!(targets["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"], 2);
    let (status, error) = cloud.call("AWSEvents.DescribeRule", json!({"Name": "x"})).await;
    assert_eq!((status, error["__type"].as_str()), (400, Some("ResourceNotFoundException")));
    assert_eq!(cloud.call("AWSEvents.PutRule", json!({})).await.0, 501);
}

#[tokio::test]
async fn lists_come_in_pages_of_the_limit() {
    let cloud = Cloud::open(1.0).await;
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let request = json!({"Limit": 3, "NextToken": token});
        let answer = cloud.ok("AWSEvents.ListRules", request).await;
        let rules = answer["Rules"].as_array().unwrap();
        assert!(rules.len() <= 3);
        names.extend(rules.iter().map(|rule| rule["Name"].as_str().unwrap().to_owned()));
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    names.sort_unstable();
    assert_eq!(names, ["each-minute", "to-inbox", "to-missing", "without-permission"]);
    for (list, request) in [
        ("ListRules", json!({"Limit": 0})),
        ("ListTargetsByRule", json!({"Rule": "to-inbox", "Limit": 101})),
        ("ListTargetsByRule", json!({"Rule": "to-inbox", "NextToken": "x"})),
    ] {
        let (status, error) = cloud.call(&format!("AWSEvents.{list}"), request).await;
        assert_eq!(
            (status, error["__type"].as_str()),
            (400, Some("ValidationException")),
            "{list}"
        );
    }
}
