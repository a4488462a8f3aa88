//! The two dead-letter queues of a cloud, and their letters.

use e2e::Cloud;
use serde_json::{Value, json};

/// A queue with its letters: bodies and attributes.
pub(crate) struct Queue<'a> {
    cloud: &'a Cloud,
    url: String,
}

impl<'a> Queue<'a> {
    pub(crate) async fn named(cloud: &'a Cloud, name: &str) -> Self {
        let name = json!({ "QueueName": name });
        let answer = cloud.aws("sqs", "AmazonSQS.GetQueueUrl", name).await.unwrap();
        Self { cloud, url: answer["QueueUrl"].as_str().unwrap().to_owned() }
    }

    /// Sends letters, ten at a time.
    pub(crate) async fn send(&self, letters: &[Letter]) {
        for batch in letters.chunks(10) {
            let entries = batch.iter().enumerate().map(|(number, letter)| {
                json!({
                    "Id": number.to_string(), "MessageBody": letter.body.to_string(),
                    "MessageAttributes": letter.attributes,
                })
            });
            let entries: Vec<Value> = entries.collect();
            let send = json!({ "QueueUrl": self.url, "Entries": entries });
            let answer = self.cloud.aws("sqs", "AmazonSQS.SendMessageBatch", send).await.unwrap();
            assert_eq!(answer["Failed"], json!([]));
        }
    }

    /// Returns how many letters are visible, and how many are hidden.
    pub(crate) async fn counts(&self) -> (u64, u64) {
        let ask = json!({ "QueueUrl": self.url, "AttributeNames": ["All"] });
        let answer = self.cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", ask).await.unwrap();
        let count =
            |name: &str| answer["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap();
        (count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"))
    }

    /// Returns up to ten letters and leaves them visible.
    pub(crate) async fn look(&self) -> Vec<Letter> {
        self.receive(0).await
    }

    /// Returns up to ten letters and hides them for a time, s.
    pub(crate) async fn receive(&self, hidden: u32) -> Vec<Letter> {
        let receive = json!({
            "QueueUrl": self.url, "MaxNumberOfMessages": 10, "VisibilityTimeout": hidden,
            "MessageAttributeNames": ["All"],
        });
        let answer = self.cloud.aws("sqs", "AmazonSQS.ReceiveMessage", receive).await.unwrap();
        let messages = answer["Messages"].as_array().into_iter().flatten();
        let letter = |message: &Value| Letter {
            body: serde_json::from_str(message["Body"].as_str().unwrap()).unwrap(),
            attributes: message["MessageAttributes"].clone(),
        };
        messages.map(letter).collect()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) body: Value,
    attributes: Value,
}

impl Letter {
    fn of(body: Value) -> Self {
        Self { body, attributes: json!({}) }
    }

    /// The record that Lambda writes when the consumer has failed to start a session.
    pub(crate) fn failure(session: &str) -> Self {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:kvs-stream-consumer-dev:$LATEST";
        Self::of(json!({
            "version": "1.0", "timestamp": "2026-01-01T00:00:00.000Z",
            "requestContext": {
                "requestId": "1", "functionArn": arn, "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": { "sessionId": session, "action": "start" },
            "responseContext": { "statusCode": 200, "functionError": "Unhandled" },
            "responsePayload": { "errorType": "Store", "errorMessage": "no answer" },
        }))
    }

    /// The consumer's letter about the first chunk of a session.
    pub(crate) fn chunk(session: &str) -> Self {
        let sample = include_str!("../../../../events/audio-processor.process.json");
        let mut payload: Value = serde_json::from_str(sample).unwrap();
        payload["sessionId"] = session.into();
        payload["startSample"] = 0.into();
        payload["sequence"] = 0.into();
        payload["gapSamples"] = 0.into();
        Self::of(json!({
            "sessionId": session, "streamArn": payload["streamArn"], "startSample": 0,
            "sampleCount": payload["sampleCount"], "fragmentNumber": null, "reason": "too loud",
            "payload": payload,
        }))
    }
}
