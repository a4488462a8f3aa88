//! The issuer rotates its keys: a new key is valid at once, and a removed key is rejected at once.

use crate::support::TestCloud;
use reqwest::Method;
use serde_json::{Value, json};

async fn create(cloud: &TestCloud, token: &str) -> u16 {
    cloud.send(cloud.call(Method::POST, "/things").bearer_auth(token)).await.status
}

async fn kids(cloud: &TestCloud) -> Vec<Value> {
    let jwks = cloud.get("/_local/jwks.json").await.body;
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

#[tokio::test]
async fn tokens_follow_the_published_keys() {
    let cloud = TestCloud::start(1).await;
    let old = cloud.token(json!({"sub": "ann"})).await;
    let [old_kid] = &kids(&cloud).await[..] else { panic!("one key to begin with") };

    let rotated = cloud.send(cloud.call(Method::POST, "/_local/keys")).await;
    assert_eq!(rotated.status, 201);
    assert_eq!(kids(&cloud).await, [old_kid.clone(), rotated.body["kid"].clone()]);
    let new = cloud.token(json!({"sub": "ann"})).await;
    assert_eq!(create(&cloud, &new).await, 200, "a key that was added later is found");
    assert_eq!(create(&cloud, &old).await, 200, "the old one is still published");

    let old_key = format!("/_local/keys/{}", old_kid.as_str().unwrap());
    let remove = async |path: &str| cloud.send(cloud.call(Method::DELETE, path)).await.status;
    assert_eq!(remove(&old_key).await, 204);
    assert_eq!(create(&cloud, &old).await, 401, "a removed one is refused");
    assert_eq!(create(&cloud, &new).await, 200);
    assert_eq!(remove(&old_key).await, 404);
    let signing = format!("/_local/keys/{}", rotated.body["kid"].as_str().unwrap());
    assert_eq!(remove(&signing).await, 409, "something has to sign");
    assert_eq!(cloud.function("echo-dev").await["invocations"], 3);
}
