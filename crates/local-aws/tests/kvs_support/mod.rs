//! A Kinesis Video fake on its own port, a small Matroska writer and a small reader.

#![allow(dead_code, unreachable_pub)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use futures_util::StreamExt;
use local_aws::kvs::Kvs;
use local_aws::{Account, Clock, Fault, Faults};
use serde_json::{Value, json};

pub struct Server {
    pub url: String,
    pub kvs: Arc<Kvs>,
    pub clock: Clock,
    pub faults: Faults,
    http: reqwest::Client,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn kvs_faults() -> Faults {
    Faults::default().with_operations("kinesisvideo", Kvs::operations())
}

/// What AWS answers: status, code of an error, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub code: String,
    pub body: Value,
}

impl Server {
    pub async fn start(scale: f64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (clock, faults) = (Clock::new(scale), kvs_faults());
        let kvs = Kvs::new(clock.clone(), faults.clone(), Account::default(), url.clone());
        let service = Arc::clone(&kvs);
        let app =
            Router::new().fallback(move |request: Request| Arc::clone(&service).handle(request));
        // The speaker checks that an emulator answers.
        let index = json!({ "name": local_aws::INDEX_NAME }).to_string();
        let app = app.route("/_local", axum::routing::get(move || async { index }));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, kvs, clock, faults, http, serving }
    }

    pub async fn call(&self, path: &str, body: Value) -> Answer {
        let answer =
            self.http.post(format!("{}{path}", self.url)).json(&body).send().await.unwrap();
        read(answer).await
    }

    /// Makes a call that must succeed.
    pub async fn ok(&self, path: &str, body: Value) -> Value {
        let answer = self.call(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// Makes a call that must be refused with this status and code.
    pub async fn refused(&self, path: &str, body: Value, status: u16, code: &str) {
        let answer = self.call(path, body.clone()).await;
        assert_eq!(
            (answer.status, answer.code.as_str()),
            (status, code),
            "{path} {body}: {answer:?}"
        );
        assert!(answer.body["Message"].as_str().is_some_and(|text| !text.is_empty()));
    }

    /// Creates a stream and waits until it is ACTIVE.
    pub async fn stream(&self, name: &str, hours: u64) -> String {
        let request = json!({ "StreamName": name, "DataRetentionInHours": hours });
        let arn = self.ok("/createStream", request).await["StreamARN"].as_str().unwrap().to_owned();
        let by_name = json!({ "StreamName": name });
        until(async || {
            let answer = self.ok("/describeStream", by_name.clone()).await;
            answer["StreamInfo"]["Status"] == "ACTIVE"
        })
        .await;
        arn
    }

    /// Creates a channel and waits until it is ACTIVE.
    pub async fn channel(&self, name: &str) -> String {
        let request = json!({ "ChannelName": name });
        let answer = self.ok("/createSignalingChannel", request.clone()).await;
        until(async || {
            let answer = self.ok("/describeSignalingChannel", request.clone()).await;
            answer["ChannelInfo"]["ChannelStatus"] == "ACTIVE"
        })
        .await;
        answer["ChannelARN"].as_str().unwrap().to_owned()
    }

    /// Opens PutMedia with relative timecodes from `start`.
    pub async fn put(
        &self,
        stream: &str,
        start: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        self.http
            .post(format!("{}/putMedia", self.url))
            .header("x-amzn-stream-name", stream)
            .header("x-amzn-fragment-timecode-type", "RELATIVE")
            .header("x-amzn-producer-start-timestamp", start)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// Puts whole bytes and returns the acknowledgements.
    pub async fn put_all(&self, stream: &str, start: &str, bytes: Vec<u8>) -> Vec<Value> {
        let answer = self.put(stream, start, bytes).await;
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Opens GetMedia.
    pub async fn get(&self, stream: &str, selector: Value) -> reqwest::Response {
        let body = json!({ "StreamName": stream, "StartSelector": selector });
        self.http.post(format!("{}/getMedia", self.url)).json(&body).send().await.unwrap()
    }

    /// Reads GetMedia to its end, which must be clean.
    pub async fn get_all(&self, stream: &str, selector: Value) -> Vec<u8> {
        let answer = self.get(stream, selector).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().to_vec()
    }

    pub fn fault(&self, fault: Value) {
        let fault: Fault = serde_json::from_value(fault).unwrap();
        self.faults.add(fault).unwrap();
    }
}

pub async fn read(answer: reqwest::Response) -> Answer {
    let status = answer.status().as_u16();
    let code = answer.headers().get("x-amzn-errortype");
    let code = code.map(|code| code.to_str().unwrap().to_owned()).unwrap_or_default();
    assert!(answer.headers().contains_key("x-amzn-requestid"));
    Answer { status, code, body: answer.json().await.unwrap_or_default() }
}

/// Polls until the condition holds; fails after ten real seconds.
pub async fn until(holds: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "it never came to hold");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Reads a body until it contains `needle`.
pub async fn read_until(answer: reqwest::Response, needle: &[u8]) -> Vec<u8> {
    let mut pieces = answer.bytes_stream();
    let mut read = Vec::new();
    while !read.windows(needle.len()).any(|window| window == needle) {
        let piece = pieces.next().await.expect("the body ended too early").unwrap();
        read.extend_from_slice(&piece);
    }
    read
}

pub fn element(id: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = id.to_vec();
    out.extend((payload.len() as u32 | 0x1000_0000).to_be_bytes());
    out.extend_from_slice(payload);
    out
}

pub const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
pub const TAGS: [u8; 4] = [0x12, 0x54, 0xC3, 0x67];

/// Returns the bytes before a producer's first Cluster: one Opus track.
pub fn head() -> Vec<u8> {
    let ebml = [
        element(&[0x42, 0x82], b"matroska"),
        element(&[0x42, 0x87], &[4]),
        element(&[0x42, 0x85], &[2]),
    ];
    let mut out = element(&[0x1A, 0x45, 0xDF, 0xA3], &ebml.concat());
    out.extend([0x18, 0x53, 0x80, 0x67, 0xFF]);
    let info = [
        element(&[0x2A, 0xD7, 0xB1], &[0x0F, 0x42, 0x40]),
        element(&[0x4D, 0x80], b"test"),
        element(&[0x57, 0x41], b"test"),
    ];
    out.extend(element(&[0x15, 0x49, 0xA9, 0x66], &info.concat()));
    let audio = element(&[0xB5], &48_000_f64.to_be_bytes());
    let track = [
        element(&[0xD7], &[1]),
        element(&[0x73, 0xC5], &[1]),
        element(&[0x83], &[2]),
        element(&[0x86], b"A_OPUS"),
        element(&[0xE1], &audio),
    ];
    let track = element(&[0xAE], &track.concat());
    out.extend(element(&[0x16, 0x54, 0xAE, 0x6B], &track));
    out
}

/// Returns a Cluster of unknown size with a block every 20 ms; each block contains `mark` and its
/// number.
pub fn cluster(timecode: u32, blocks: u8, mark: u8) -> Vec<u8> {
    let mut out = CLUSTER.to_vec();
    out.push(0xFF);
    out.extend(element(&[0xE7], &timecode.to_be_bytes()));
    for n in 0..blocks {
        let offset = (u16::from(n) * 20).to_be_bytes();
        out.extend(element(&[0xA3], &[0x81, offset[0], offset[1], 0x80, mark, n]));
    }
    out
}

/// Returns a recording of `count` fragments of a second (50 blocks), from timecode 0.
pub fn recording(count: u32) -> Vec<u8> {
    let mut out = head();
    for n in 0..count {
        out.extend(cluster(n * 1000, 50, n as u8));
    }
    out
}

/// Returns id and size (`None`: unknown) of the element at the start, and the length of its head.
pub fn element_head(bytes: &[u8]) -> (u32, Option<usize>, usize) {
    let id_len = bytes[0].leading_zeros() as usize + 1;
    let id = bytes[..id_len].iter().fold(0_u32, |id, byte| (id << 8) | u32::from(*byte));
    let size_len = bytes[id_len].leading_zeros() as usize + 1;
    let mut size = u64::from(bytes[id_len]) & (0xFF >> size_len);
    for byte in &bytes[id_len + 1..id_len + size_len] {
        size = (size << 8) | u64::from(*byte);
    }
    let unknown = size == (1 << (7 * size_len)) - 1;
    (id, (!unknown).then_some(size as usize), id_len + size_len)
}

/// Returns the level-0 and level-1 elements of a GetMedia body, in order: id and all bytes (only
/// the head for a Segment and for a Cluster of unknown size, whose children follow).
pub fn elements(mut bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (id, size, head) = element_head(bytes);
        let end = head + size.unwrap_or(0);
        found.push((id, &bytes[..end]));
        bytes = &bytes[end..];
    }
    found
}

/// Returns the documents of a GetMedia body.
pub fn documents(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for (id, raw) in elements(bytes) {
        if id == 0x1A45_DFA3 {
            found.push(Vec::new());
        }
        found.last_mut().unwrap().extend_from_slice(raw);
    }
    found
}

/// Returns all tags in bytes, in order, by searching for TagName elements: name and value.
pub fn tags(bytes: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (_, raw) in elements(bytes).iter().filter(|(id, _)| *id == 0x1254_C367) {
        let mut rest = &raw[element_head(raw).2..];
        let mut name = String::new();
        while !rest.is_empty() {
            let (id, size, head) = element_head(rest);
            let text = |size: usize| String::from_utf8_lossy(&rest[head..head + size]).into_owned();
            let step = match (id, size) {
                // Tag and SimpleTag are entered.
                (0x7373 | 0x67C8, _) => head,
                (0x45A3, Some(size)) => {
                    name = text(size);
                    head + size
                }
                (0x4487, Some(size)) => {
                    found.push((name.clone(), text(size)));
                    head + size
                }
                (_, size) => head + size.unwrap(),
            };
            rest = &rest[step..];
        }
    }
    found
}

/// Returns the values of one tag, in order.
pub fn values(bytes: &[u8], name: &str) -> Vec<String> {
    tags(bytes).into_iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect()
}

pub fn numbers(bytes: &[u8]) -> Vec<String> {
    values(bytes, "AWS_KINESISVIDEO_FRAGMENT_NUMBER")
}
