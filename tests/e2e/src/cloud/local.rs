//! A client of the local cloud's own API: `/_local/faults` and `/_local/state`.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::Cloud;
use crate::Error;

/// Maximum time of a function's work after its response.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

impl Cloud {
    /// Injects a fault (`/_local/faults`).
    ///
    /// # Errors
    /// [`Error::Answer`] if the cloud does not support the fault.
    pub async fn inject_fault(&self, fault: Value) -> Result<(), Error> {
        let path = "/_local/faults";
        let (status, body) = self.api(Method::POST, path, None, Some(fault)).await?;
        if status < 300 {
            return Ok(());
        }
        Err(Error::Answer { what: path.into(), status, body: body.to_string() })
    }

    /// Removes all pending faults.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn clear_faults(&self) -> Result<(), Error> {
        let path = "/_local/faults";
        self.api(Method::DELETE, path, None, None).await.map(drop)
    }

    /// Returns the process ids of `function` (a package name).
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn processes(&self, function: &str) -> Result<Vec<u64>, Error> {
        let function = self.function(function).await?;
        let instances = function["instances"].as_array().cloned().unwrap_or_default();
        Ok(instances.iter().filter_map(|instance| instance["pid"].as_u64()).collect())
    }

    /// Waits until all processes of `function` (a package name) are idle, so that work after the
    /// response is complete.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response, [`Error::TimedOut`] after `IDLE_TIMEOUT`.
    pub async fn idle(&self, function: &str) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let state = self.function(function).await?;
            let instances = state["instances"].as_array().into_iter().flatten();
            if instances.clone().all(|instance| instance["doing"] == "idle") {
                return Ok(());
            }
            if start.elapsed() > IDLE_TIMEOUT {
                let (what, seconds) = (format!("an idle {function}"), IDLE_TIMEOUT.as_secs());
                return Err(Error::TimedOut { what, seconds, last: state.to_string() });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns the pending faults, each with the number of calls that it still applies to.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn pending_faults(&self) -> Result<Vec<Value>, Error> {
        let (_, body) = self.api(Method::GET, "/_local/faults", None, None).await?;
        Ok(body["faults"].as_array().cloned().unwrap_or_default())
    }

    /// Checks that no fault is pending: a test whose fault did not occur proves nothing.
    ///
    /// # Errors
    /// [`Error::Answer`] with the pending faults.
    pub async fn all_faults_triggered(&self) -> Result<(), Error> {
        let waiting = self.pending_faults().await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let body = Value::from(waiting).to_string();
        Err(Error::Answer { what: "/_local/faults".into(), status: 200, body })
    }

    /// Returns the response of `/_local/state`.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn state(&self) -> Result<Value, Error> {
        Ok(self.api(Method::GET, "/_local/state", None, None).await?.1)
    }

    /// Returns the number of invocations of `function` (a package name).
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn invocations(&self, function: &str) -> Result<u64, Error> {
        Ok(self.function(function).await?["invocations"].as_u64().unwrap_or_default())
    }

    /// Returns the state of each worker: `pid`, `starts`, `lastEnd`, `stopping`.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn workers(&self) -> Result<Vec<Value>, Error> {
        let state = self.state().await?;
        Ok(state["tasks"]["workers"].as_array().cloned().unwrap_or_default())
    }

    /// Deploys the template with new values of parameters (`/_local/deploy`).
    ///
    /// # Errors
    /// [`Error::Answer`] if the cloud refuses them.
    pub async fn deploy(&self, parameters: Value) -> Result<(), Error> {
        let body = json!({ "parameters": parameters });
        self.changed(Method::POST, "/_local/deploy", body).await
    }

    /// Changes the service of the workers (`/_local/tasks/stream-worker`).
    ///
    /// # Errors
    /// [`Error::Answer`] if the cloud refuses the change.
    pub async fn update_workers(&self, update: Value) -> Result<(), Error> {
        self.changed(Method::PUT, "/_local/tasks/stream-worker", update).await
    }

    async fn changed(&self, method: Method, path: &str, body: Value) -> Result<(), Error> {
        match self.api(method, path, None, Some(body)).await? {
            (200, _) => Ok(()),
            (status, body) => {
                Err(Error::Answer { what: path.into(), status, body: body.to_string() })
            }
        }
    }

    /// Returns the messages of the workers' queue that are visible, and those that are in flight.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn starts(&self) -> Result<(u64, u64), Error> {
        let queue = &self.state().await?["sqs"]["consumer-starts-dev"];
        let number = |name: &str| queue[name].as_u64().unwrap_or_default();
        Ok((number("visible"), number("inFlight")))
    }

    /// Returns the state of `function` (a package or deployed name), or null if there is none.
    pub async fn function(&self, function: &str) -> Result<Value, Error> {
        let mut state = self.state().await?;
        let functions = state["lambda"]["functions"].as_array_mut().map(std::mem::take);
        let mut functions = functions.unwrap_or_default().into_iter();
        let is_it = |known: &Value| [&known["package"], &known["name"]].contains(&&json!(function));
        Ok(functions.find(is_it).unwrap_or_default())
    }

    /// Returns the names of all streams and channels in any state.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn media_names(&self) -> Result<Vec<String>, Error> {
        let state = self.state().await?;
        let of = |kind: &str| state["kinesisvideo"][kind].as_array().cloned().unwrap_or_default();
        let all = [of("streams"), of("channels")].concat();
        Ok(all.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect())
    }
}
