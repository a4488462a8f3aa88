//! Guarantee: GetIceServerConfig answers in the form of AWS's model, and a page of this machine may
//! call it.

use reqwest::Method;
use serde_json::json;

use super::support::Cloud;

const PATH: &str = "/v1/get-ice-server-config";

#[tokio::test]
async fn a_channel_has_no_turn_server_on_one_machine() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let request = json!({ "ChannelARN": arn, "Service": "TURN", "ClientId": "ana" });
    assert_eq!(cloud.ok(PATH, request).await, json!({ "IceServerList": [] }));
    let invalid = "InvalidArgumentException";
    let absent = arn.replace("/talk/", "/tale/");
    for (request, status, code) in [
        (json!({}), 400, invalid),
        (json!({ "ChannelARN": "talk" }), 400, invalid),
        (json!({ "ChannelARN": arn, "Service": "STUN" }), 400, invalid),
        (json!({ "ChannelARN": arn, "ClientId": "an~a" }), 400, invalid),
        (json!({ "ChannelARN": absent }), 404, "ResourceNotFoundException"),
    ] {
        let answer = cloud.call(PATH, request).await;
        assert_eq!((answer.status, answer.code.as_str()), (status, code), "{answer:?}");
    }
}

#[tokio::test]
async fn a_fault_can_return_turn_servers() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let servers = json!({ "IceServerList": [{ "Uris": ["turn:127.0.0.1:3478"], "Username": "u",
                                              "Password": "p", "Ttl": 300 }] });
    let fault = json!({ "service": "kinesisvideo", "operation": "GetIceServerConfig",
                        "kind": "answer", "extra": { "answer": servers } });
    let added = cloud.send(cloud.request(Method::POST, "/_local/faults").json(&fault)).await;
    assert_eq!(added.status, 201);
    assert_eq!(cloud.ok(PATH, json!({ "ChannelARN": arn })).await, servers);
}

#[tokio::test]
async fn a_page_of_this_machine_may_make_a_signed_call() {
    let cloud = Cloud::start(1).await;
    let preflight = cloud
        .request(Method::OPTIONS, PATH)
        .header("origin", "http://127.0.0.1:5173")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-amz-date");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let allowed = &answer.headers()["access-control-allow-headers"];
    assert_eq!(allowed, "authorization,content-type,x-amz-date");
    let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesisvideo/aws4_request, \
                  SignedHeaders=host, Signature=0";
    let call = cloud.request(Method::POST, PATH).header("authorization", signed);
    let answer = call.header("origin", "http://127.0.0.1:5173").body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 400, "a refusal can be read too");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("x-amzn-errortype"), "{exposed}");
}
