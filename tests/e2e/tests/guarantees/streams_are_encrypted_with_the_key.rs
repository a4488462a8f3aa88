//! Guarantee: with `KmsKeyArn` every stream is encrypted with that key.

use e2e::{Cloud, Options};
use serde_json::{Value, json};

/// Returns the key of a session's stream.
async fn key_of_a_stream(parameters: Vec<String>) -> Value {
    let cloud = Cloud::start(Options { parameters, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let name = format!("session-{}", session.id());
    let stream = cloud.kinesis_video("describeStream", json!({"StreamName": name})).await.unwrap();
    stream["StreamInfo"]["KmsKeyId"].clone()
}

#[tokio::test]
async fn a_stream_has_the_deployments_key_or_else_the_aws_managed_key() {
    let key = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555";
    assert_eq!(key_of_a_stream(vec![format!("KmsKeyArn={key}")]).await, key);
    let own = key_of_a_stream(vec![]).await;
    assert!(own.as_str().unwrap().ends_with("alias/aws/kinesisvideo"), "{own}");
}
