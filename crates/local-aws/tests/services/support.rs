//! One cloud in this process, on a port that the system picks, running the `echo` example.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use local_aws::{LocalAws, Options};
use reqwest::Method;
use serde_json::{Value, json};

pub(crate) struct TestCloud {
    running: LocalAws,
    url: String,
    http: reqwest::Client,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    /// The body as JSON; as text if it is not JSON; null if it is empty.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Returns the folder of cargo's examples: beside the folder of this test binary. Cargo does not
/// build them for `--test services`.
pub(crate) fn examples() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap().join("examples");
    let echo = folder.join("echo");
    assert!(echo.exists(), "{echo:?} is missing: cargo build -p local-aws --example echo");
    folder
}

pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sam-template/tests/fixtures/template.yaml")
}

impl TestCloud {
    pub(crate) async fn start(time_scale: u32) -> Self {
        Self::with(Options { time_scale, ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let template = options.template.or_else(|| Some(fixture()));
        let binaries = options.binaries.or_else(|| Some(examples()));
        let options = Options { template, binaries, ..options };
        let running = local_aws::start(options).await.unwrap();
        let url = running.url().to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { running, url, http }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn end(self) {
        self.running.shutdown().await;
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        };
        Answer { status, headers, body }
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.call(Method::GET, path)).await
    }

    pub(crate) async fn invoke(&self, function: &str, payload: Value) -> Answer {
        self.request(function, payload, &[]).await
    }

    pub(crate) async fn request(
        &self,
        function: &str,
        payload: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.raw(function, payload.to_string().into_bytes(), headers).await
    }

    pub(crate) async fn raw(
        &self,
        function: &str,
        payload: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let mut request = self.call(Method::POST, &path).body(payload);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Makes a call of the JSON protocol, signed for `service` as far as local-cloud checks.
    pub(crate) async fn aws(&self, service: &str, target: &str, body: Value) -> Answer {
        let request = self
            .signed(service, "/")
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .body(body.to_string());
        self.send(request).await
    }

    /// Begins a POST that is signed for `service` as far as local-cloud checks.
    pub(crate) fn signed(&self, service: &str, path: &str) -> reqwest::RequestBuilder {
        let scope = format!("Credential=AK/20260101/us-east-1/{service}/aws4_request");
        let signature =
            format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=0");
        let request = self.call(Method::POST, path).header("authorization", signature);
        request.header("x-amz-date", "20260101T000000Z")
    }

    /// Creates the stream of a session.
    pub(crate) async fn create_stream(&self, session: &str) {
        let body = json!({ "StreamName": format!("session-{session}") });
        let request = self.signed("kinesisvideo", "/createStream").body(body.to_string());
        assert_eq!(self.send(request).await.status, 200);
    }

    pub(crate) async fn state(&self) -> Value {
        self.get("/_local/state").await.body
    }

    /// Returns the state of one function.
    pub(crate) async fn function(&self, name: &str) -> Value {
        let state = self.state().await;
        let functions = state["lambda"]["functions"].as_array().unwrap().clone();
        functions.into_iter().find(|function| function["name"] == name).unwrap()
    }

    pub(crate) async fn fault(&self, fault: Value) {
        let request = self.call(Method::POST, "/_local/faults").json(&fault);
        assert_eq!(self.send(request).await.status, 201);
    }

    pub(crate) async fn token(&self, request: Value) -> String {
        let request = self.call(Method::POST, "/_local/token").json(&request);
        self.send(request).await.body["token"].as_str().unwrap().to_owned()
    }

    /// Polls until the condition holds; panics after half a minute.
    pub(crate) async fn until(&self, what: &str, so: impl AsyncFn(&Self) -> bool) {
        let started = Instant::now();
        while !so(self).await {
            assert!(started.elapsed() < Duration::from_secs(30), "waited in vain for: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
