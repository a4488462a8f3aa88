//! Guarantee: the health check ends sessions that have run too long, does not touch sessions that
//! changed recently, and removes no stream that a dead letter names.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use e2e::{Cloud, Options, Session};
use serde_json::{Value, json};

async fn record(cloud: &Cloud, session: &Session<'_>) -> Value {
    cloud.item("Sessions", session.id()).await.unwrap().expect("the record stays")
}

/// Waits until the session is removed.
async fn is_removed(cloud: &Cloud, session: &Session<'_>) {
    let start = Instant::now();
    while record(cloud, session).await["status"]["S"] != "removed" {
        assert!(start.elapsed() < Duration::from_secs(90), "{}", record(cloud, session).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sets the status of the session's record, and the ages of its creation and last update.
async fn age(
    cloud: &Cloud,
    session: &Session<'_>,
    status: &str,
    [created, updated]: [Duration; 2],
) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let ago = |ago: Duration| json!({ "N": (now - ago).as_millis().to_string() });
    let update = json!({
        "TableName": "Sessions-dev",
        "Key": { "sessionId": { "S": session.id() } },
        "UpdateExpression": "SET #status = :status, createdAt = :created, updatedAt = :updated",
        "ExpressionAttributeNames": { "#status": "status" },
        "ExpressionAttributeValues": {
            ":status": { "S": status }, ":created": ago(created), ":updated": ago(updated),
        },
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await.unwrap();
}

#[tokio::test]
async fn expired_sessions_are_ended_and_old_incomplete_ones_are_removed() {
    // In real time, so that only this test runs the health check.
    let cloud = Cloud::start(Options { time_scale: 1, ..Options::default() }).await.unwrap();
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let sessions = [
        ("ana", "active", [minutes(24 * 60 + 1), minutes(1)], ("ended", "expired")),
        ("ben", "active", [minutes(20), minutes(20)], ("active", "")),
        ("cem", "creating", [minutes(4), minutes(4)], ("", "")),
        ("dan", "creating", [minutes(2), minutes(2)], ("creating", "")),
    ];
    let mut open = Vec::new();
    for (speaker, status, ages, _) in sessions {
        let session = cloud.open(speaker).await.unwrap();
        age(&cloud, &session, status, ages).await;
        open.push(session);
    }
    let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
    cloud.invoke("kvs-stream-consumer", &check).await.unwrap();
    for (session, (speaker, .., (status, reason))) in open.iter().zip(sessions) {
        let record = cloud.item("Sessions", session.id()).await.unwrap().unwrap_or_default();
        let text = |name: &str| record[name]["S"].as_str().unwrap_or_default();
        assert_eq!((text("status"), text("endedReason")), (status, reason), "{speaker}: {record}");
    }
}

#[tokio::test]
async fn a_stream_is_kept_while_a_dead_letter_names_it() {
    let parameters = vec!["StreamKeepMinutes=5".to_owned()];
    let cloud =
        Cloud::start(Options { time_scale: 30, parameters, ..Options::default() }).await.unwrap();
    // A refused batch is offered again chunk by chunk: the second refusal applies to one chunk.
    let refusal = json!({
        "service": "lambda", "operation": "Invoke", "target": "audio-processor",
        "skip": 3, "times": 2, "kind": "answer", "extra": { "answer": { "statusCode": 422 } },
    });
    cloud.inject_fault(refusal).await.unwrap();
    let refused = cloud.open("ana").await.unwrap();
    refused.say(&testkit::recording()).await.unwrap();
    refused.end().await.unwrap();
    refused.drained(Duration::from_secs(60)).await.unwrap();
    cloud.all_faults_triggered().await.unwrap();

    let chunks = queue(&cloud, "chunk-dlq-dev").await;
    let chunk = letter(&cloud, &chunks).await;
    assert_eq!(chunk["sessionId"], refused.id());
    assert_eq!(chunk["streamArn"], record(&cloud, &refused).await["kvsStreamArn"]["S"]);
    let samples = chunk["sampleCount"].as_u64().unwrap();
    let audio = chunk["payload"]["audioData"].as_str().unwrap();
    assert!(
        samples > 0 && audio.len() as u64 >= samples * 2 * 4 / 3,
        "the message contains all of the audio"
    );

    let other = cloud.open("ben").await.unwrap();
    other.say(&testkit::recording()).await.unwrap();
    other.end().await.unwrap();
    other.drained(Duration::from_secs(60)).await.unwrap();

    // A dead-lettered event of a delivered session does not keep its stream.
    let event =
        json!({ "requestPayload": { "detail": { "sessionId": other.id(), "status": "ENDED" } } });
    let events = queue(&cloud, "session-events-dlq-dev").await;
    let send = json!({ "QueueUrl": events, "MessageBody": event.to_string() });
    cloud.aws("sqs", "AmazonSQS.SendMessage", send).await.unwrap();

    // The first session was drained before the other and would be removed no later, but for its
    // dead letter, which an operator has received and which is invisible to the health check
    // meanwhile.
    is_removed(&cloud, &other).await;
    assert_eq!(letter(&cloud, &events).await, event, "the message is still in the queue");
    assert_eq!(record(&cloud, &refused).await["status"]["S"], "ended");
    let stream = record(&cloud, &refused).await["kvsStreamArn"]["S"].clone();
    cloud.kinesis_video("describeStream", json!({ "StreamARN": stream })).await.unwrap();

    cloud.aws("sqs", "AmazonSQS.PurgeQueue", json!({ "QueueUrl": chunks })).await.unwrap();
    is_removed(&cloud, &refused).await;
}

/// Returns the URL of a queue.
async fn queue(cloud: &Cloud, name: &str) -> Value {
    let name = json!({ "QueueName": name });
    cloud.aws("sqs", "AmazonSQS.GetQueueUrl", name).await.unwrap()["QueueUrl"].clone()
}

/// Receives a message from the queue, which may be invisible for a moment after a health check.
async fn letter(cloud: &Cloud, queue: &Value) -> Value {
    let receive = json!({ "QueueUrl": queue, "WaitTimeSeconds": 5, "VisibilityTimeout": 43_200 });
    let start = Instant::now();
    loop {
        let answer = cloud.aws("sqs", "AmazonSQS.ReceiveMessage", receive.clone()).await.unwrap();
        if let Some(body) = answer["Messages"][0]["Body"].as_str() {
            return serde_json::from_str(body).unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no letter");
    }
}

#[tokio::test]
async fn a_session_with_an_unreadable_checkpoint_is_kept_until_its_audio_expires() {
    // In real time, so that only this test runs the health check; and no event starts a consumer.
    let cloud = Cloud::start(Options { time_scale: 1, ..Options::default() }).await.unwrap();
    let no_events = json!({
        "service": "events", "operation": "PutEvents", "status": 500,
        "code": "InternalException", "message": "the bus is down"
    });
    cloud.inject_fault(no_events).await.unwrap();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let sessions = [
        ("ana", "active", hours(1), "active"),
        ("ben", "ended", hours(23), "ended"),
        ("cem", "ended", hours(25), "removed"),
    ];
    let mut open = Vec::new();
    for (speaker, status, ago, _) in sessions {
        let session = cloud.open(speaker).await.unwrap();
        age(&cloud, &session, status, [ago; 2]).await;
        written_by_another_build(&cloud, &session).await;
        open.push(session);
    }
    let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
    let summary = cloud.invoke("kvs-stream-consumer", &check).await.unwrap();
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!((count("unreadable"), count("restarted"), count("cleaned")), (3, 0, 1), "{summary}");
    for (session, (speaker, .., expected)) in open.iter().zip(sessions) {
        let record = record(&cloud, session).await;
        assert_eq!(record["status"]["S"], expected, "{speaker}: {record}");
    }
    let log = cloud.log("kvs-stream-consumer");
    assert!(log.contains("not restarted, because this build cannot read its checkpoint"), "{log}");
}

#[tokio::test]
async fn at_most_fifty_sessions_are_restarted_in_one_run() {
    let cloud = Cloud::start(Options { time_scale: 1, ..Options::default() }).await.unwrap();
    // No session is started: only the invocation of the health check reaches the function.
    cloud.inject_fault(consumer_does_not_run(0)).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let hour = Duration::from_secs(3600);
    age(&cloud, &session, "active", [hour; 2]).await;
    let mut item = record(&cloud, &session).await;
    item.as_object_mut().unwrap().remove("pendingEvent");
    for number in 1..=54 {
        item["sessionId"] = json!({ "S": format!("quiet-harbor-{number}") });
        let put = json!({ "TableName": "Sessions-dev", "Item": item });
        cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", put).await.unwrap();
    }
    cloud.clear_faults().await.unwrap();
    cloud.inject_fault(consumer_does_not_run(1)).await.unwrap();
    let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
    let summary = cloud.invoke("kvs-stream-consumer", &check).await.unwrap();
    assert_eq!(summary["restarted"], 50, "{summary}");
    let log = cloud.log("kvs-stream-consumer");
    let left = log.matches("not restarted: 50 restarts in this pass already").count();
    assert_eq!(left, 5, "the others are restarted by the next run: {log}");
}

/// Answers invocations of the consumer without running it, after `after` that run.
fn consumer_does_not_run(after: u64) -> Value {
    json!({
        "service": "lambda", "operation": "Invoke", "target": "kvs-stream-consumer",
        "kind": "answer", "extra": { "answer": null }, "skip": after, "times": 1000,
    })
}

/// Gives the session a checkpoint of an unknown version, and removes its pending event.
async fn written_by_another_build(cloud: &Cloud, session: &Session<'_>) {
    let key = json!({ "sessionId": { "S": session.id() } });
    let remove = json!({
        "TableName": "Sessions-dev", "Key": key, "UpdateExpression": "REMOVE pendingEvent",
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", remove).await.unwrap();
    let item = json!({
        "TableName": "Streams-dev",
        "Item": { "sessionId": { "S": session.id() }, "epoch": { "N": "3" }, "leaseExpiresAt": { "N": "1" },
            "checkpoint": { "S": r#"{"version":99}"# } },
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", item).await.unwrap();
}
