//! SQS over HTTP: the operations that readers of a dead-letter queue use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

mod events_support;

use events_support::Cloud;
use serde_json::json;

#[tokio::test]
async fn a_message_is_sent_received_and_deleted() {
    let cloud = Cloud::open(1.0).await;
    let url =
        cloud.ok("AmazonSQS.GetQueueUrl", json!({"QueueName": "inbox"})).await["QueueUrl"].clone();
    let sent =
        cloud.ok("AmazonSQS.SendMessage", json!({"QueueUrl": url, "MessageBody": "hello"})).await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let receive = json!({"QueueUrl": url, "VisibilityTimeout": 600});
    let got = cloud.ok("AmazonSQS.ReceiveMessage", receive.clone()).await;
    assert_eq!(got["Messages"][0]["MessageId"], sent["MessageId"]);
    assert_eq!(cloud.ok("AmazonSQS.ReceiveMessage", receive.clone()).await, json!({}));
    let receipt = got["Messages"][0]["ReceiptHandle"].clone();
    let show = json!({"QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": 0});
    cloud.ok("AmazonSQS.ChangeMessageVisibility", show).await;
    let got = cloud.ok("AmazonSQS.ReceiveMessage", receive).await;
    let receipt = got["Messages"][0]["ReceiptHandle"].clone();
    cloud.ok("AmazonSQS.DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": receipt})).await;
    let counts = cloud
        .ok("AmazonSQS.GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]}))
        .await;
    assert_eq!(counts["Attributes"]["ApproximateNumberOfMessages"], "0");
    assert_eq!(counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "0");
}

#[tokio::test]
async fn a_waiting_receiver_gets_what_arrives() {
    let cloud = Cloud::open(1.0).await;
    let url = format!("{}/000000000000/inbox", cloud.url);
    let wait =
        cloud.ok("AmazonSQS.ReceiveMessage", json!({"QueueUrl": url, "WaitTimeSeconds": 20}));
    let send = cloud.ok("AmazonSQS.SendMessage", json!({"QueueUrl": url, "MessageBody": "late"}));
    let (got, _) = tokio::join!(wait, send);
    assert_eq!(got["Messages"][0]["Body"], "late");
}

#[tokio::test]
async fn batches_name_what_failed_and_a_missing_queue_is_named_in_both_protocols() {
    let cloud = Cloud::open(1.0).await;
    let url = format!("{}/000000000000/inbox", cloud.url);
    let entries = json!([{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": ""}]);
    let answer =
        cloud.ok("AmazonSQS.SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(
        (answer["Successful"][0]["Id"].as_str(), answer["Failed"][0]["Id"].as_str()),
        (Some("a"), Some("b"))
    );
    let twice = json!([{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}]);
    let (status, error) =
        cloud.call("AmazonSQS.SendMessageBatch", json!({"QueueUrl": url, "Entries": twice})).await;
    assert_eq!(
        (status, error["__type"].as_str()),
        (400, Some("com.amazonaws.sqs#BatchEntryIdsNotDistinct"))
    );
    let client = reqwest::Client::new();
    let answer = client
        .post(&cloud.url)
        .header("x-amz-target", "AmazonSQS.GetQueueUrl")
        .body(json!({"QueueName": "none"}).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.headers()["x-amzn-query-error"],
        "AWS.SimpleQueueService.NonExistentQueue;Sender"
    );
    assert!(answer.text().await.unwrap().contains("com.amazonaws.sqs#QueueDoesNotExist"));
}
