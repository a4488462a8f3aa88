//! A cloud with signaling channels, and a client's WebSocket.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use local_aws::{Clock, LocalAws, Options};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::signed_url::SignedUrl;

/// How long a test waits for an event, in real time.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Cloud {
    running: LocalAws,
    http: reqwest::Client,
}

/// Status, error code and body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) body: Value,
}

impl Cloud {
    pub(crate) async fn start(time_scale: u32) -> Self {
        Self::with(Options { time_scale, ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let options = Options { kvs_change_ms: 0, ..options };
        let running = local_aws::start(options).await.unwrap();
        Self { running, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.running.clock()
    }

    pub(crate) fn endpoint(&self, role: &str) -> String {
        format!("{}/_signaling/{role}", self.running.url().replacen("http", "ws", 1))
    }

    /// Makes a request that is not signed.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.running.url()))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let code = answer.headers().get("x-amzn-errortype");
        let code = code.map(|code| code.to_str().unwrap().to_owned()).unwrap_or_default();
        Answer { status, code, body: answer.json().await.unwrap_or_default() }
    }

    /// Calls an operation of Kinesis Video Streams.
    pub(crate) async fn call(&self, path: &str, body: Value) -> Answer {
        let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesisvideo/aws4_request, \
                      SignedHeaders=host, Signature=0";
        let request = self.request(Method::POST, path).header("authorization", signed);
        self.send(request.json(&body)).await
    }

    /// Calls an operation that must succeed.
    pub(crate) async fn ok(&self, path: &str, body: Value) -> Value {
        let answer = self.call(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// Creates a channel and returns its ARN.
    pub(crate) async fn channel(&self, name: &str) -> String {
        let created = self.ok("/createSignalingChannel", json!({ "ChannelName": name })).await;
        created["ChannelARN"].as_str().unwrap().to_owned()
    }

    /// Creates a channel that stores its media.
    pub(crate) async fn storing_channel(&self, name: &str) -> String {
        let arn = self.channel(name).await;
        let stream = json!({ "StreamName": name, "DataRetentionInHours": 1 });
        let stream = self.ok("/createStream", stream).await["StreamARN"].clone();
        let storage = json!({ "Status": "ENABLED", "StreamARN": stream });
        let request = json!({ "ChannelARN": arn, "MediaStorageConfiguration": storage });
        self.ok("/updateMediaStorageConfiguration", request).await;
        arn
    }

    /// Connects a channel's master.
    pub(crate) async fn master(&self, arn: &str) -> Socket {
        Socket::open(&self.master_url(arn)).await.unwrap()
    }

    /// Connects a viewer of a channel.
    pub(crate) async fn viewer(&self, arn: &str, id: &str) -> Socket {
        Socket::open(&self.viewer_url(arn, id)).await.unwrap()
    }

    pub(crate) fn master_url(&self, arn: &str) -> String {
        SignedUrl::new(&self.endpoint("master"), &[("X-Amz-ChannelARN", arn)]).sign()
    }

    pub(crate) fn viewer_url(&self, arn: &str, id: &str) -> String {
        let parameters = [("X-Amz-ChannelARN", arn), ("X-Amz-ClientId", id)];
        SignedUrl::new(&self.endpoint("viewer"), &parameters).sign()
    }

    /// Returns the channels of `/_local/signaling`.
    pub(crate) async fn connections(&self) -> Value {
        let answer = self.send(self.request(Method::GET, "/_local/signaling")).await;
        answer.body["channels"].clone()
    }
}

/// Why a connection was refused: status, error code and message.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The WebSocket of a client.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(url: &str) -> Result<Self, Refusal> {
        match connect_async(url).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => {
                let code = answer.headers().get("x-amzn-errortype");
                let code = code.map(|code| code.to_str().unwrap().to_owned()).unwrap_or_default();
                let body = answer.body().as_deref().unwrap_or_default();
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                let message = body["Message"].as_str().unwrap_or_default().to_owned();
                Err(Refusal { status: answer.status().as_u16(), code, message })
            }
            Err(error) => panic!("{url}: {error}"),
        }
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Sends a message with `members` beside its action and its payload.
    pub(crate) async fn send(&mut self, action: &str, payload: &Value, members: &Value) {
        let payload = BASE64.encode(payload.to_string());
        let mut message = json!({ "action": action, "messagePayload": payload });
        message.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.text(&message.to_string()).await;
    }

    pub(crate) async fn ping(&mut self) -> bool {
        self.0.send(Message::Ping(Vec::new().into())).await.is_ok()
    }

    /// Returns the next event with its payload decoded, as `{type, sender, payload, status}`.
    pub(crate) async fn event(&mut self) -> Value {
        let event = self.next().await.expect("an event, not the end");
        let payload = event["messagePayload"].as_str().map(|payload| {
            let payload = BASE64.decode(payload).unwrap();
            serde_json::from_slice::<Value>(&payload).unwrap()
        });
        json!({
            "type": event["messageType"],
            "sender": event["senderClientId"],
            "payload": payload,
            "status": event["statusResponse"],
        })
    }

    /// Returns the next event, which must be the STATUS_RESPONSE to a message: code and status.
    pub(crate) async fn refusal_of(&mut self, correlation_id: &str) -> (String, String) {
        let event = self.event().await;
        assert_eq!(event["type"], "STATUS_RESPONSE", "{event}");
        assert_eq!(event["status"]["correlationId"], correlation_id);
        let text = |member: &str| event["status"][member].as_str().unwrap().to_owned();
        assert!(!text("description").is_empty());
        (text("errorType"), text("statusCode"))
    }

    /// Sends a message that is refused, and checks that its refusal is the next event: none came
    /// before.
    pub(crate) async fn expect_silence(&mut self) {
        self.send("NOTHING", &json!({}), &json!({ "correlationId": "marker" })).await;
        self.refusal_of("marker").await;
    }

    /// Waits for the service's close and returns its code.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            let frame = tokio::time::timeout(EVENT_TIMEOUT, self.0.next()).await.unwrap();
            match frame.expect("a close").unwrap() {
                Message::Close(close) => return close.unwrap().code.into(),
                Message::Text(text) => panic!("an event instead of the close: {text}"),
                _ => {}
            }
        }
    }

    /// Returns the next event. `None`: the connection is closed.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let frame = tokio::time::timeout(EVENT_TIMEOUT, self.0.next()).await.unwrap()?;
            match frame.unwrap() {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}
