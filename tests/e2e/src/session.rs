//! The actions of a session's speaker, and an operator's view of the session.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::cloud::{binary, io, root};
use crate::{Cloud, Error};

/// An open session of a [`Cloud`].
#[derive(Debug)]
pub struct Session<'a> {
    cloud: &'a Cloud,
    id: String,
    token: String,
}

impl<'a> Session<'a> {
    pub(crate) fn new(cloud: &'a Cloud, id: String, token: String) -> Self {
        Self { cloud, id, token }
    }

    /// Returns its id, for example `blessed-shepherd-123`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the cloud of the session.
    pub const fn cloud(&self) -> &'a Cloud {
        self.cloud
    }

    /// Returns its path in the HTTP API.
    pub fn path(&self) -> String {
        format!("/sessions/{}", self.id)
    }

    /// Sends all of `file` to the session's stream, as fast as the cloud's clock runs.
    ///
    /// # Errors
    /// [`Error::Io`] if the producer cannot be started, [`Error::Answer`] if it fails.
    pub async fn say(&self, file: &Path) -> Result<(), Error> {
        self.say_with(file, &[]).await
    }

    /// As [`Session::say`], with more arguments of `local-cloud speak`.
    ///
    /// # Errors
    /// As [`Session::say`].
    pub async fn say_with(&self, file: &Path, arguments: &[String]) -> Result<(), Error> {
        let mut speaker = self.speaker(file, self.cloud.time_scale(), arguments)?;
        let status = speaker.wait().await.map_err(io("wait for the speaker"))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Answer { what: "local-cloud speak".into(), status: 0, body: status.to_string() })
    }

    /// Starts to send `file` to the session's stream, `speed` times as fast as real time.
    ///
    /// # Errors
    /// [`Error::Io`] if the producer cannot be started.
    pub fn speak(&self, file: &Path, speed: u32) -> Result<Child, Error> {
        self.speaker(file, speed, &[])
    }

    fn speaker(&self, file: &Path, speed: u32, arguments: &[String]) -> Result<Child, Error> {
        Command::new(binary("local-cloud")?)
            .args(["speak", &self.id])
            .arg(file)
            .args(["--speed", &speed.to_string(), "--url", self.cloud.url()])
            .args(["--fragment-ms", &self.cloud.fragment_ms().to_string()])
            .args(arguments)
            .current_dir(root())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(io("start the speaker"))
    }

    /// Sends DELETE as the owner, and retries a 503 up to five times.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the status is 204.
    pub async fn end(&self) -> Result<(), Error> {
        let mut left = 5;
        loop {
            let delete = reqwest::Method::DELETE;
            let answer = self.cloud.api(delete, &self.path(), Some(&self.token), None).await?;
            match answer {
                (204, _) => return Ok(()),
                // With a high time scale, a busy machine may exceed the request's deadline.
                (503, _) if left > 0 => left -= 1,
                (status, body) => {
                    let (what, body) = ("DELETE".into(), body.to_string());
                    return Err(Error::Answer { what, status, body });
                }
            }
        }
    }

    /// Sends PATCH as the owner; returns status and body.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn change(&self, changes: Value) -> Result<(u16, Value), Error> {
        let patch = reqwest::Method::PATCH;
        self.cloud.api(patch, &self.path(), Some(&self.token), Some(changes)).await
    }

    /// Waits until the consumer has drained the stream and written status ENDED.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the last Streams item.
    pub async fn drained(&self, timeout: Duration) -> Result<Value, Error> {
        self.streams_item("the drain", timeout, |item| item["status"]["S"] == "ENDED").await
    }

    /// Waits until `wanted` returns true for the session's Streams item.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the last Streams item.
    pub async fn streams_item(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, Error> {
        self.streams_item_each(Duration::from_millis(50), what, timeout, wanted).await
    }

    /// As [`Session::streams_item`], with this pause between two reads.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the last Streams item.
    pub async fn streams_item_each(
        &self,
        pause: Duration,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, Error> {
        let start = Instant::now();
        loop {
            let item = self.cloud.item("Streams", &self.id).await?.unwrap_or_default();
            if wanted(&item) {
                return Ok(item);
            }
            if start.elapsed() > timeout {
                let seconds = timeout.as_secs();
                return Err(Error::TimedOut { what: what.into(), seconds, last: item.to_string() });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Returns the cloud's record of the processor's invocations: samplesDelivered,
    /// samplesDuplicated, …
    ///
    /// # Errors
    /// [`Error::Answer`] if there was no invocation.
    pub async fn figures(&self) -> Result<Value, Error> {
        self.deliveries("").await
    }

    /// As [`Session::figures`], with `latenciesMs`: the delivery latency of each chunk.
    ///
    /// # Errors
    /// As [`Session::figures`].
    pub async fn latencies(&self) -> Result<Value, Error> {
        self.deliveries("?latencies=true").await
    }

    async fn deliveries(&self, query: &str) -> Result<Value, Error> {
        let path = format!("/_local/deliveries/{}{query}", self.id);
        match self.cloud.api(reqwest::Method::GET, &path, None, None).await? {
            (200, figures) => Ok(figures),
            (status, body) => Err(Error::Answer { what: path, status, body: body.to_string() }),
        }
    }

    /// Returns the samples of the reference processor's WAV file.
    ///
    /// # Errors
    /// [`Error::Answer`] if there is none, or it is not a 16 kHz mono 16-bit WAV file.
    pub async fn wav(&self) -> Result<Vec<i16>, Error> {
        let path = format!("/_local/audio/{}.wav", self.id);
        let bytes = self.cloud.bytes(&path).await?.unwrap_or_default();
        let header = bytes.get(..44).unwrap_or_default();
        let right = header.get(22..24) == Some(&[1, 0]) // mono
            && header.get(24..28) == Some(&16_000_u32.to_le_bytes())
            && header.get(34..36) == Some(&[16, 0]); // bits
        if !right {
            return Err(Error::Answer { what: path, status: 0, body: format!("{header:?}") });
        }
        let samples = bytes[44..].chunks_exact(2);
        Ok(samples.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }
}
