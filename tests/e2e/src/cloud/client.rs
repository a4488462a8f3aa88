//! A client of the session API.

use reqwest::Method;
use serde_json::{Value, json};

use super::Cloud;
use crate::{Error, Session};

impl Cloud {
    /// Returns a request to the HTTP API, which the caller completes and sends.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a request to the HTTP API with an optional bearer token.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response. Responses with any status are returned.
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

    /// Returns a token of the cloud's issuer. `claims` may contain `sub`, `expiresIn`, `aud`, …
    ///
    /// # Errors
    /// [`Error::Answer`] if the issuer refuses.
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
    /// [`Error::Answer`] unless the status is 201.
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

    /// Sends `POST /sessions` with more headers; returns the status, `Retry-After` in seconds, and
    /// the body.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
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

    /// Returns the bytes at `path`, or `None` unless the status is a success.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        Ok(Some(answer.bytes().await?.to_vec()))
    }
}
