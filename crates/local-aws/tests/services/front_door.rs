//! The HTTP API as API Gateway serves it: events of payload 2.0, the JWT authorizer, its own
//! answers.

use crate::support::{Answer, TestCloud};
use reqwest::Method;
use serde_json::{Value, json};

async fn create(cloud: &TestCloud, authorization: &str) -> Answer {
    let request = cloud.call(Method::POST, "/things").body("{}");
    cloud.send(request.header("authorization", authorization)).await
}

#[tokio::test]
async fn an_open_route_gets_the_whole_request() {
    let cloud = TestCloud::start(1).await;
    let request = cloud
        .call(Method::GET, "/open/a%20b?x=1&x=2&y=%C3%A9")
        .header("X-Two", "a")
        .header("x-two", "b")
        .header("cookie", "c1=1; c2=2");
    let answer = cloud.send(request).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("apigw-requestid").is_some());
    let event = &answer.body["event"];
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "GET /open/{name}");
    assert_eq!(event["rawPath"], "/open/a b");
    assert_eq!(event["rawQueryString"], "x=1&x=2&y=%C3%A9");
    assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": "é"}));
    assert_eq!(event["pathParameters"], json!({"name": "a b"}));
    assert_eq!(event["headers"]["x-two"], "a,b");
    assert_eq!(event["headers"]["cookie"], Value::Null);
    assert_eq!(event["cookies"], json!(["c1=1", "c2=2"]));
    let context = &event["requestContext"];
    assert_eq!(context["http"]["method"], "GET");
    assert_eq!(context["http"]["path"], "/open/a b");
    assert_eq!(context["stage"], "$default");
    assert_eq!(context["accountId"], "000000000000");
    assert_eq!(context["requestId"], answer.header("apigw-requestid").unwrap());
    assert_eq!(context["authorizer"], Value::Null);
    assert_eq!(event["body"], Value::Null);
}

#[tokio::test]
async fn a_token_opens_a_closed_route_with_its_claims() {
    let cloud = TestCloud::start(1).await;
    let token = cloud.token(json!({"sub": "ann", "scope": "read admin"})).await;
    let answer = create(&cloud, &format!("Bearer {token}")).await;
    assert_eq!(answer.status, 200);
    let jwt = &answer.body["event"]["requestContext"]["authorizer"]["jwt"];
    assert_eq!(jwt["claims"]["sub"], "ann");
    assert_eq!(jwt["claims"]["iss"], "https://issuer.test");
    assert!(jwt["claims"]["exp"].is_string());
    assert_eq!(jwt["scopes"], Value::Null);
    assert_eq!(answer.body["event"]["body"], "{}");
    assert_eq!(answer.body["event"]["isBase64Encoded"], false);

    let admin = cloud.call(Method::POST, "/admin").bearer_auth(&token);
    assert_eq!(cloud.send(admin).await.status, 200);
}

#[tokio::test]
async fn every_wrong_token_is_401_and_a_missing_scope_403() {
    let cloud = TestCloud::start(1).await;
    let unauthorized = json!({"message": "Unauthorized"});
    let mut wrong = vec!["Bearer x.y.z".to_owned(), "nonsense".to_owned()];
    for request in [
        json!({"sub": "a", "expiresIn": 0}),
        json!({"sub": "a", "foreignKey": true}),
        json!({"sub": "a", "aud": "elsewhere"}),
        json!({"sub": "a", "aud": null}),
        json!({"sub": "a", "iss": "https://elsewhere.test"}),
    ] {
        wrong.push(format!("Bearer {}", cloud.token(request).await));
    }
    // The claims of a valid token without its signature, as `alg: none`.
    let good = cloud.token(json!({"sub": "a"})).await;
    let claims = good.split('.').nth(1).unwrap();
    wrong.push(format!("Bearer eyJhbGciOiJub25lIn0.{claims}."));
    for authorization in wrong {
        let answer = create(&cloud, &authorization).await;
        assert_eq!((answer.status, &answer.body), (401, &unauthorized), "{authorization}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer scope=\"\" error=\"invalid_token\""), "{challenge}");
    }
    let answer = cloud.send(cloud.call(Method::POST, "/things")).await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!((answer.status, answer.body), (401, unauthorized));
    let answer = cloud.send(cloud.call(Method::POST, "/admin").bearer_auth(&good)).await;
    assert_eq!((answer.status, answer.body), (403, json!({"message": "Forbidden"})));
    assert_eq!(cloud.function("echo-dev").await["invocations"], 0);
}

#[tokio::test]
async fn the_issuer_publishes_its_key() {
    let cloud = TestCloud::start(1).await;
    let discovery = cloud.get("/_local/.well-known/openid-configuration").await.body;
    assert_eq!(discovery["issuer"], "https://issuer.test");
    assert_eq!(discovery["jwks_uri"], format!("{}/_local/jwks.json", cloud.url()));
    let jwks = cloud.get("/_local/jwks.json").await.body;
    assert_eq!(jwks["keys"][0]["kty"], "RSA");
    assert_eq!(jwks["keys"][0]["alg"], "RS256");
    assert!(jwks["keys"][0]["d"].is_null(), "the private part stays here");
}

#[tokio::test]
async fn api_gateways_own_answers() {
    let cloud = TestCloud::start(10).await;
    let own = |status: u16, message: &str| (status, json!({ "message": message }));
    let answer = cloud.get("/nowhere").await;
    assert_eq!((answer.status, answer.body), own(404, "Not Found"));
    let answer = cloud.send(cloud.call(Method::DELETE, "/open/x")).await;
    assert_eq!((answer.status, answer.body), own(404, "Not Found"));

    let request = cloud.call(Method::GET, "/open/x").header("x-long", "y".repeat(11_000));
    assert_eq!(cloud.send(request).await.status, 431);
    let request = cloud.call(Method::POST, "/slow").body(vec![b'x'; 10 * 1024 * 1024 + 1]);
    let answer = cloud.send(request).await;
    assert_eq!((answer.status, answer.body), own(413, "Request Entity Too Large"));

    let fault = json!({"service": "lambda", "target": "short", "kind": "kill"});
    cloud.fault(fault).await;
    let answer = cloud.get("/slow").await;
    assert_eq!((answer.status, answer.body), own(500, "Internal Server Error"));
    let fault = json!({
        "service": "lambda", "target": "short", "status": 429, "code": "TooManyRequestsException"
    });
    cloud.fault(fault).await;
    let answer = cloud.get("/slow").await;
    assert_eq!((answer.status, answer.body), own(503, "Service Unavailable"));
}

#[tokio::test]
async fn a_body_that_is_no_text_comes_in_base64() {
    let cloud = TestCloud::start(1).await;
    let request = cloud.call(Method::POST, "/slow").body(vec![0_u8, 255, 1]);
    let answer = cloud.send(request.header("content-type", "application/octet-stream")).await;
    assert_eq!(answer.body["event"]["body"], "AP8B");
    assert_eq!(answer.body["event"]["isBase64Encoded"], true);
}
