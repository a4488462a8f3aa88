//! Guarantee: a function may make only the calls that its role in the template allows. Other calls
//! are denied with AWS's error, and the log names the role and the missing action.

use e2e::{Cloud, Error, Options};
use serde_json::json;

/// Returns the template without this line.
fn without(line: &str) -> String {
    let template = e2e::template().unwrap();
    let kept = template.lines().filter(|other| other.trim() != line);
    let changed = kept.map(|line| format!("{line}\n")).collect::<String>();
    assert!(changed.len() < template.len(), "{line} is not in the template");
    changed
}

#[tokio::test]
async fn a_session_whose_stream_may_not_be_tagged_is_refused_and_leaves_nothing() {
    let template = without("- kinesisvideo:TagStream");
    let cloud = Cloud::start_on(Options::default(), &template).await.unwrap();
    let token = cloud.token(json!({ "sub": "ana" })).await.unwrap();
    let (status, waits, answer) =
        cloud.post(&token, &[], &json!({ "sourceLanguage": "en" })).await.unwrap();
    assert_eq!((status, waits), (500, None), "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("retry will not succeed"), "{answer}");

    let user = "arn:aws:sts::000000000000:assumed-role/session-http-handler-dev-role/session-http-handler-dev";
    let action = "kinesisvideo:TagStream";
    let denied = format!("User: {user} is not authorized to perform: {action} on resource: ");
    // The response may overtake the line.
    cloud.logged("session-http-handler", &denied, 1).await.unwrap();
    let log = cloud.own_log();
    assert!(
        log.contains("no statement of SessionHttpHandlerRole in the template allows it"),
        "{log}"
    );
    let start = std::time::Instant::now();
    while !cloud.media_names().await.unwrap().is_empty() {
        assert!(start.elapsed().as_secs() < 30, "the channel is left");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_caller_with_a_functions_key_has_only_its_permissions() {
    let template = e2e::template().unwrap();
    let cloud = Cloud::start_on(Options::default(), &template).await.unwrap();
    let update = |table: &str| json!({ "TableName": table, "Key": { "sessionId": { "S": "a" } } });
    let call = async |key: &str, operation: &str, table: &str| {
        let target = format!("DynamoDB_20120810.{operation}");
        cloud.aws_as(key, "dynamodb", &target, update(table)).await
    };
    let processor = "ASIALOCALAudioProcessorFunction";
    call(processor, "UpdateItem", "Processed-dev").await.unwrap();
    call("another-key", "UpdateItem", "Streams-dev").await.unwrap();
    for (operation, table) in [("UpdateItem", "Streams-dev"), ("DeleteItem", "Processed-dev")] {
        let Err(Error::Answer { status: 400, body, .. }) = call(processor, operation, table).await
        else {
            panic!("{operation} on {table} is allowed");
        };
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["__type"], "AccessDeniedException");
        let wanted = format!(
            "User: arn:aws:sts::000000000000:assumed-role/audio-processor-dev-role/audio-processor-dev is not \
             authorized to perform: dynamodb:{operation} on resource: \
             arn:aws:dynamodb:us-east-1:000000000000:table/{table} because no identity-based policy \
             allows the dynamodb:{operation} action"
        );
        assert_eq!(body["message"], wanted);
    }
}

#[tokio::test]
async fn a_dead_letter_without_permission_is_lost_and_logged() {
    let template = without("Action: [sqs:SendMessage]");
    assert!(template.contains("Sid: SendDeadLetters"));
    let template = template.replace("Sid: SendDeadLetters", "Action: [sqs:GetQueueUrl]");
    let options = Options { time_scale: 300, ..Options::default() };
    let cloud = Cloud::start_on(options, &template).await.unwrap();
    cloud.put_status_change(&json!({ "status": "ACTIVE" })).await.unwrap();
    let start = std::time::Instant::now();
    while !cloud.own_log().contains("is lost: User: ") {
        assert!(start.elapsed().as_secs() < 60, "{}", cloud.own_log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(cloud.own_log().contains("not authorized to perform: sqs:SendMessage on resource"));
}
