//! The service's end of a connection, with a real WebSocket at the client's end.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Client, FromClient, ServiceSide, ToClient};
use crate::{LocalAws, Options, start};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Starts a cloud with a channel that stores its media.
async fn storing_channel() -> (LocalAws, String) {
    let cloud = start(Options { kvs_change_ms: 0, ..Options::default() }).await.unwrap();
    let call = async |path: &str, body: Value| -> Value {
        let request = Request::post(path).body(body.to_string().into()).unwrap();
        let answer = cloud.services().kvs.clone().handle(request).await;
        let bytes = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let channel = call("/createSignalingChannel", json!({ "ChannelName": "talk" })).await;
    let stream = json!({ "StreamName": "talk", "DataRetentionInHours": 1 });
    let stream = call("/createStream", stream).await;
    let storage = json!({ "Status": "ENABLED", "StreamARN": stream["StreamARN"] });
    let mapping =
        json!({ "ChannelARN": channel["ChannelARN"], "MediaStorageConfiguration": storage });
    assert_eq!(call("/updateMediaStorageConfiguration", mapping).await, json!({}));
    (cloud, channel["ChannelARN"].as_str().unwrap().to_owned())
}

/// Connects a client with a key of which the secret is not known, so any signature is valid.
async fn connect(cloud: &LocalAws, role: &str, arn: &str, more: &str) -> Socket {
    let at = time::OffsetDateTime::now_utc();
    let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let stamp = format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
    let url = format!(
        "{}/_signaling/{role}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-ChannelARN={arn}{more}\
         &X-Amz-Credential=any/{day}/us-east-1/kinesisvideo/aws4_request&X-Amz-Date={stamp}\
         &X-Amz-Expires=299&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
        cloud.url().replacen("http", "ws", 1)
    );
    connect_async(url).await.unwrap().0
}

fn take(cloud: &LocalAws, arn: &str, client: &Client) -> Option<ServiceSide> {
    cloud.services().signaling.service_side(arn, client)
}

async fn send(socket: &mut Socket, action: &str, payload: Value) {
    let payload = BASE64.encode(payload.to_string());
    let message = json!({ "action": action, "messagePayload": payload, "correlationId": "a-1" });
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

/// Returns type and payload of the next event.
async fn event(socket: &mut Socket) -> (String, Value) {
    loop {
        if let Message::Text(text) = within(socket.next()).await.unwrap().unwrap() {
            let event: Value = serde_json::from_str(&text).unwrap();
            assert!(event["senderClientId"].is_null());
            let payload = event["messagePayload"].as_str().map(|it| BASE64.decode(it).unwrap());
            let payload = payload.map(|payload| serde_json::from_slice(&payload).unwrap());
            let status = event["statusResponse"].clone();
            return (event["messageType"].as_str().unwrap().to_owned(), payload.unwrap_or(status));
        }
    }
}

#[tokio::test]
async fn a_storage_session_and_a_master_exchange_their_messages() {
    let (cloud, arn) = storing_channel().await;
    assert!(take(&cloud, &arn, &Client::Master).is_none());
    let mut master = connect(&cloud, "master", &arn, "").await;
    // The connection can be taken as soon as the client has the answer.
    let mut session = take(&cloud, &arn, &Client::Master).unwrap();
    assert!(take(&cloud, &arn, &Client::Viewer("ana".to_owned())).is_none());
    session.to_client.send(ToClient::Offer("v=0".to_owned())).await.unwrap();
    session.to_client.send(ToClient::Candidate("candidate:1".to_owned())).await.unwrap();
    let offer = json!({ "type": "offer", "sdp": "v=0" });
    assert_eq!(event(&mut master).await, ("SDP_OFFER".to_owned(), offer));
    let candidate = json!({ "candidate": "candidate:1", "sdpMLineIndex": 0 });
    assert_eq!(event(&mut master).await, ("ICE_CANDIDATE".to_owned(), candidate));

    send(&mut master, "SDP_ANSWER", json!({ "type": "answer", "sdp": "v=1" })).await;
    let correlation_id = Some("a-1".to_owned());
    let answer = FromClient::Answer { sdp: "v=1".to_owned(), correlation_id };
    assert_eq!(within(session.from_client.recv()).await, Some(answer));
    send(&mut master, "ICE_CANDIDATE", json!({ "candidate": "" })).await;
    send(&mut master, "ICE_CANDIDATE", json!({ "candidate": "candidate:2" })).await;
    let candidate = FromClient::Candidate("candidate:2".to_owned());
    assert_eq!(within(session.from_client.recv()).await, Some(candidate));
    let status = ToClient::Status {
        correlation_id: "a-1".to_owned(),
        error_type: "InvalidArgumentException",
        status_code: 400,
        description: "no video".to_owned(),
    };
    session.to_client.send(status).await.unwrap();
    let (kind, status) = event(&mut master).await;
    assert_eq!((kind.as_str(), &status["description"]), ("STATUS_RESPONSE", &json!("no video")));

    // A client does not make the offer.
    send(&mut master, "SDP_OFFER", json!({ "type": "offer", "sdp": "v=0" })).await;
    let (_, status) = event(&mut master).await;
    assert_eq!(status["errorType"], "InvalidArgumentException");
}

#[tokio::test]
async fn a_session_ends_with_the_next_one_and_with_its_connection() {
    let (cloud, arn) = storing_channel().await;
    let ana = Client::Viewer("ana".to_owned());
    let mut viewer = connect(&cloud, "viewer", &arn, "&X-Amz-ClientId=ana").await;
    let mut first = take(&cloud, &arn, &ana).unwrap();
    let mut second = take(&cloud, &arn, &ana).unwrap();
    assert_eq!(within(first.from_client.recv()).await, None);
    send(&mut viewer, "ICE_CANDIDATE", json!({ "candidate": "candidate:1" })).await;
    assert!(within(second.from_client.recv()).await.is_some());

    // A session that has ended leaves the client without a peer.
    drop(second);
    send(&mut viewer, "ICE_CANDIDATE", json!({ "candidate": "candidate:2" })).await;
    assert_eq!(event(&mut viewer).await.0, "STATUS_RESPONSE");

    let mut third = take(&cloud, &arn, &ana).unwrap();
    viewer.close(None).await.unwrap();
    assert_eq!(within(third.from_client.recv()).await, None);
    within(third.to_client.closed()).await;
    assert!(take(&cloud, &arn, &ana).is_none());
}
