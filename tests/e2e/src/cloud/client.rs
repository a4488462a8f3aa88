//! The session API, as a client calls it.

use reqwest::Method;
use serde_json::{Value, json};

use super::Cloud;
use crate::{Error, Session};

impl Cloud {
    /// A request to the HTTP API, to be shaped and sent by whoever asks.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A request to the HTTP API, with `token` as its bearer when there is one.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers; every answer is returned, whatever its status.
    pub async fn api(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Result<(u16, Value), Error> {
        let mut request = self.request(method, path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// A token of the cloud's own issuer. `claims` may hold `sub`, `expiresIn`, `aud`, …
    ///
    /// # Errors
    /// [`Error::Answer`] when the issuer refuses.
    pub async fn token(&self, claims: Value) -> Result<String, Error> {
        let path = "/_local/token";
        let (status, body) = self.api(Method::POST, path, None, Some(claims)).await?;
        match body["token"].as_str() {
            Some(token) if status == 200 => Ok(token.to_owned()),
            _ => Err(Error::Answer { what: path.into(), status, body: body.to_string() }),
        }
    }

    /// Opens a session as `speaker`, in English.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the answer is 201.
    pub async fn open(&self, speaker: &str) -> Result<Session<'_>, Error> {
        let token = self.token(json!({ "sub": speaker })).await?;
        let body = json!({ "sourceLanguage": "en" });
        let post = Method::POST;
        let (status, body) = self.api(post, "/sessions", Some(&token), Some(body)).await?;
        match body["sessionId"].as_str() {
            Some(id) if status == 201 => Ok(Session::new(self, id.to_owned(), token)),
            _ => {
                Err(Error::Answer { what: "POST /sessions".into(), status, body: body.to_string() })
            }
        }
    }

    /// `POST /sessions` with more headers: its status, its `Retry-After` in seconds, and its body.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn post(
        &self,
        token: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<(u16, Option<u64>, Value), Error> {
        let mut request = self.request(Method::POST, "/sessions").bearer_auth(token).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let (status, wait) = (answer.status().as_u16(), wait.and_then(|wait| wait.parse().ok()));
        Ok((status, wait, answer.json().await?))
    }

    /// The bytes at `path`, `None` when it is not there.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        Ok(Some(answer.bytes().await?.to_vec()))
    }
}
