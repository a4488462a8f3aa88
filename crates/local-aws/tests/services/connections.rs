//! Guarantee: `@connections` answers as API Gateway does, for the connections that
//! `/_local/connections` creates.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestCloud};

/// As SDKs write it: `=` is escaped.
const ID: &str = "L0SM9cOFvHcCIhw%3D";

async fn signed(cloud: &TestCloud, method: Method, id: &str, body: String) -> Answer {
    let scope = "Credential=test/20260101/us-east-1/execute-api/aws4_request";
    let signature = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
    let call = cloud.call(method, &format!("/@connections/{id}"));
    cloud.send(call.header("authorization", signature).body(body)).await
}

async fn local(cloud: &TestCloud, method: Method) -> Answer {
    cloud.send(cloud.call(method, &format!("/_local/connections/{ID}"))).await
}

fn refusal(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.header("x-amzn-errortype"))
}

#[tokio::test]
async fn a_connection_takes_messages_until_it_is_gone() {
    let cloud = TestCloud::start(1).await;
    let gone = (410, Some("GoneException"));
    for method in [Method::POST, Method::GET, Method::DELETE] {
        assert_eq!(refusal(&signed(&cloud, method, ID, "hello".to_owned()).await), gone);
    }
    assert_eq!(local(&cloud, Method::PUT).await.body["connectionId"], "L0SM9cOFvHcCIhw=");
    let posted = signed(&cloud, Method::POST, ID, "hello".to_owned()).await;
    assert_eq!((posted.status, posted.body), (200, Value::Null));
    let seen = signed(&cloud, Method::GET, ID, String::new()).await;
    assert_eq!(seen.body["identity"]["sourceIp"], "127.0.0.1");
    assert!(seen.body["lastActiveAt"].as_str() >= seen.body["connectedAt"].as_str());

    let closed = signed(&cloud, Method::DELETE, ID, String::new()).await;
    assert_eq!(closed.status, 204);
    assert_eq!(refusal(&signed(&cloud, Method::POST, ID, "late".to_owned()).await), gone);
    let shown = local(&cloud, Method::GET).await.body;
    assert_eq!(shown["messages"][0]["text"], "hello");
    assert_eq!(shown["messages"].as_array().unwrap().len(), 1);
    assert!(shown["goneAt"].is_string());

    // A client that disconnects is also gone.
    local(&cloud, Method::PUT).await;
    assert_eq!(local(&cloud, Method::DELETE).await.status, 204);
    assert_eq!(refusal(&signed(&cloud, Method::POST, ID, "late".to_owned()).await), gone);
    cloud.end().await;
}

#[tokio::test]
async fn a_message_may_have_128_kilobytes() {
    let cloud = TestCloud::start(1).await;
    local(&cloud, Method::PUT).await;
    let longest = "x".repeat(128 * 1024);
    assert_eq!(signed(&cloud, Method::POST, ID, longest.clone()).await.status, 200);
    let refused = signed(&cloud, Method::POST, ID, longest + "x").await;
    assert_eq!(refusal(&refused), (413, Some("PayloadTooLargeException")));
    cloud.end().await;
}

#[tokio::test]
async fn a_caller_without_permission_is_forbidden() {
    let cloud = TestCloud::start(1).await;
    local(&cloud, Method::PUT).await;
    let unsigned = cloud.call(Method::POST, &format!("/@connections/{ID}")).body("x");
    let unsigned = cloud.send(unsigned).await;
    assert_eq!(refusal(&unsigned), (403, Some("MissingAuthenticationTokenException")));
    assert_eq!(unsigned.body["message"], "Missing Authentication Token");
    for (method, id) in [(Method::POST, ""), (Method::PUT, ID), (Method::POST, "a/b")] {
        let refused = signed(&cloud, method, id, String::new()).await;
        assert_eq!(refusal(&refused), (403, Some("ForbiddenException")), "{id}");
    }
    cloud.end().await;
}

#[tokio::test]
async fn faults_apply_to_one_connection() {
    let cloud = TestCloud::start(1).await;
    local(&cloud, Method::PUT).await;
    let fault = json!({
        "service": "execute-api", "operation": "PostToConnection", "target": "L0SM9cOFvHcCIhw=",
        "status": 429, "code": "LimitExceededException",
    });
    let added = cloud.call(Method::POST, "/_local/faults").json(&fault);
    assert_eq!(cloud.send(added).await.status, 201);
    let other = signed(&cloud, Method::POST, "other", String::new()).await;
    assert_eq!(other.status, 410);
    let refused = signed(&cloud, Method::POST, ID, "x".to_owned()).await;
    assert_eq!(refusal(&refused), (429, Some("LimitExceededException")));
    assert_eq!(signed(&cloud, Method::POST, ID, "x".to_owned()).await.status, 200);
    cloud.end().await;
}
