//! A client of the cloud: the HTTP API with a token, and `/_local`.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::error::Error;

use local_aws::delivery_stats::DeliveryStats;
use local_aws::recogniser::Words;

/// Maximum time of a request: the creation saga answers within 29 s.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Lifetime of the run's token, in seconds: longer than any run.
const TOKEN_SECONDS: u64 = 86_400;

/// A cloud, and a token for its API.
#[derive(Debug)]
pub(super) struct Client {
    url: String,
    http: reqwest::Client,
    token: String,
}

/// The created session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) stream: String,
}

impl Client {
    /// Connects to the local cloud and requests a token from its issuer.
    pub(super) async fn connect(url: &str) -> Result<Self, Error> {
        let unreachable = |source| Error::Unreachable { url: url.to_owned(), source };
        let http =
            reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(unreachable)?;
        let request = json!({ "sub": "speaker", "expiresIn": TOKEN_SECONDS });
        let answer = http.post(format!("{url}/_local/token")).json(&request).send().await;
        let answer: Value = answer.map_err(unreachable)?.json().await.map_err(unreachable)?;
        let token = answer["token"].as_str().ok_or_else(|| {
            Error::Client(format!("{url} returned no token: is it a local-cloud of this version?"))
        })?;
        Ok(Self { url: url.to_owned(), http, token: token.to_owned() })
    }

    /// Sends POST /sessions.
    pub(super) async fn create_session(&self) -> Result<Session, Error> {
        let body = json!({ "sourceLanguage": "en", "qualityTier": "standard" });
        let answer = self.call(Method::POST, "/sessions", Some(&body)).await?;
        let status = answer.status();
        let session: Value = self.json(answer).await?;
        if status != StatusCode::CREATED {
            return Err(Error::Client(format!(
                "POST /sessions: {status} {session}: see the log of session-http-handler"
            )));
        }
        let text = |member: &str| session[member].as_str().map(str::to_owned);
        match (text("sessionId"), text("kvsStreamName")) {
            (Some(id), Some(stream)) => Ok(Session { id, stream }),
            _ => Err(Error::Client(format!(
                "POST /sessions: the answer names no sessionId or kvsStreamName: {session}"
            ))),
        }
    }

    /// Sends DELETE /sessions/{sessionId}.
    pub(super) async fn end_session(&self, id: &str) -> Result<(), Error> {
        let answer = self.call(Method::DELETE, &format!("/sessions/{id}"), None).await?;
        let status = answer.status();
        if status != StatusCode::NO_CONTENT {
            let body = answer.text().await.unwrap_or_default();
            return Err(Error::Client(format!(
                "DELETE /sessions/{id}: {status} {body}: see the log of session-http-handler"
            )));
        }
        Ok(())
    }

    /// Returns the delivery statistics of a session so far; zeros if there are none yet.
    pub(super) async fn stats(&self, id: &str) -> Result<DeliveryStats, Error> {
        let answer = self.call(Method::GET, &format!("/_local/deliveries/{id}"), None).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(DeliveryStats::of(id, &[], &[]));
        }
        answer
            .error_for_status()
            .map_err(|error| self.lost(error))?
            .json()
            .await
            .map_err(|error| self.lost(error))
    }

    /// Returns the recognised words of a session.
    pub(super) async fn words(&self, id: &str) -> Result<Words, Error> {
        let answer = self.call(Method::GET, &format!("/_local/words/{id}"), None).await?;
        // A cloud of an earlier version has no words.
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(Words::absent()),
            _ => answer.json().await.map_err(|error| self.lost(error)),
        }
    }

    /// Returns the cloud's time scale.
    pub(super) async fn time_scale(&self) -> Result<f64, Error> {
        let answer = self.call(Method::GET, "/_local/state", None).await?;
        let state: Value = self.json(answer).await?;
        Ok(state["timeScale"].as_f64().unwrap_or(1.0))
    }

    /// Returns whether the cloud's processor is the reference, which writes a WAV file.
    pub(super) async fn writes_wav(&self) -> Result<bool, Error> {
        let answer = self.call(Method::GET, "/_local/state", None).await?;
        Ok(has_reference_processor(&self.json(answer).await?))
    }

    /// Returns a file that the cloud stores, or `None` if it does not exist.
    pub(super) async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.call(Method::GET, path, None).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        Ok(Some(answer.bytes().await.map_err(|error| self.lost(error))?.to_vec()))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, Error> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.map_err(|error| self.lost(error))
    }

    async fn json(&self, answer: Response) -> Result<Value, Error> {
        answer.json().await.map_err(|error| self.lost(error))
    }

    fn lost(&self, source: reqwest::Error) -> Error {
        Error::Unreachable { url: self.url.clone(), source }
    }
}

/// Returns whether a cloud runs the reference processor, and not a program in its place.
fn has_reference_processor(state: &Value) -> bool {
    let mut functions = state["lambda"]["functions"].as_array().into_iter().flatten();
    functions.any(|it| it["package"] == "audio-processor" && it["program"].is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_in_place_of_the_reference_processor_is_another() {
        for (function, is_reference) in [
            (json!({"package": "audio-processor", "program": null}), true),
            (json!({"package": "audio-processor", "program": "/mine"}), false),
            (json!({"package": "mine", "program": null}), false),
        ] {
            let state = json!({"lambda": {"functions": [function]}});
            assert_eq!(has_reference_processor(&state), is_reference, "{state}");
        }
    }
}
