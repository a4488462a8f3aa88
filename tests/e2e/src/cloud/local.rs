//! What only a local cloud has: `/_local/faults` and `/_local/state`.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use super::Cloud;
use crate::Error;

/// No function has longer for what follows its answer.
const IDLE_PATIENCE: Duration = Duration::from_secs(30);

impl Cloud {
    /// Lets a fault wait (`/_local/faults`).
    ///
    /// # Errors
    /// [`Error::Answer`] when the fault is not one the cloud knows.
    pub async fn fault(&self, fault: Value) -> Result<(), Error> {
        let path = "/_local/faults";
        let (status, body) = self.api(Method::POST, path, None, Some(fault)).await?;
        if status < 300 {
            return Ok(());
        }
        Err(Error::Answer { what: path.into(), status, body: body.to_string() })
    }

    /// Forgets every fault that still waits.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn calm(&self) -> Result<(), Error> {
        let path = "/_local/faults";
        self.api(Method::DELETE, path, None, None).await.map(drop)
    }

    /// The system's numbers of `function`'s processes.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn processes(&self, function: &str) -> Result<Vec<u64>, Error> {
        let function = self.function(function).await?;
        let instances = function["instances"].as_array().cloned().unwrap_or_default();
        Ok(instances.iter().filter_map(|instance| instance["pid"].as_u64()).collect())
    }

    /// Waits until no process of `function` (its package name) works: what an invocation does after
    /// its answer is done.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers, [`Error::Waited`] when it takes longer than a function
    /// may.
    pub async fn idle(&self, function: &str) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let state = self.function(function).await?;
            let instances = state["instances"].as_array().into_iter().flatten();
            if instances.clone().all(|instance| instance["doing"] == "idle") {
                return Ok(());
            }
            if start.elapsed() > IDLE_PATIENCE {
                let (what, seconds) = (format!("an idle {function}"), IDLE_PATIENCE.as_secs());
                return Err(Error::Waited { what, seconds, last: state.to_string() });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The faults that wait still, each with how many calls it would strike.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn waiting_faults(&self) -> Result<Vec<Value>, Error> {
        let (_, body) = self.api(Method::GET, "/_local/faults", None, None).await?;
        Ok(body["faults"].as_array().cloned().unwrap_or_default())
    }

    /// That no fault waits any more: a test whose fault never struck has shown nothing.
    ///
    /// # Errors
    /// [`Error::Answer`] with those that wait.
    pub async fn every_fault_struck(&self) -> Result<(), Error> {
        let waiting = self.waiting_faults().await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let body = Value::from(waiting).to_string();
        Err(Error::Answer { what: "/_local/faults".into(), status: 200, body })
    }

    /// What `/_local/state` says.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn state(&self) -> Result<Value, Error> {
        Ok(self.api(Method::GET, "/_local/state", None, None).await?.1)
    }

    /// How often `function` (its package name) was invoked.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn invocations(&self, function: &str) -> Result<u64, Error> {
        Ok(self.function(function).await?["invocations"].as_u64().unwrap_or_default())
    }

    /// What is known of `function` (its package name); null when nothing is.
    async fn function(&self, function: &str) -> Result<Value, Error> {
        let mut state = self.state().await?;
        let functions = state["lambda"]["functions"].as_array_mut().map(std::mem::take);
        let mut functions = functions.unwrap_or_default().into_iter();
        Ok(functions.find(|known| known["package"] == function).unwrap_or_default())
    }

    /// The names of all streams and channels, whatever their state.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn media_names(&self) -> Result<Vec<String>, Error> {
        let state = self.state().await?;
        let of = |kind: &str| state["kinesisvideo"][kind].as_array().cloned().unwrap_or_default();
        let all = [of("streams"), of("channels")].concat();
        Ok(all.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect())
    }
}
