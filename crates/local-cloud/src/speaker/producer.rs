//! Sends a recording with PutMedia in real time, block by block. After a broken connection it
//! resumes with the first fragment that was not acknowledged as PERSISTED, as AWS's producers do.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Pace;
use super::muxer::{self, Fragment};
use super::recording::Recording;

/// Blocks that are buffered for the connection.
const WAITING: usize = 256;
/// Maximum number of broken connections in a row, without a fragment persisted between them.
const TRIES: u32 = 8;
/// Delay before the first reconnect; doubled each time. KVS must have closed the old connection by
/// then.
const PAUSE: Duration = Duration::from_millis(100);
/// Maximum length of an acknowledgement line.
const LINE_BYTES: usize = 64 * 1024;

/// The progress of a producer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Packets sent, counting repeated ones once.
    pub packets: usize,
    /// Fragments that were acknowledged as PERSISTED.
    pub persisted: usize,
    /// Reconnects after a broken connection.
    pub reconnects: u32,
}

/// Why the recording was not sent completely.
#[derive(Debug, thiserror::Error)]
pub enum SpeakError {
    /// The stream rejected it.
    #[error("PutMedia on {stream}: {status} {code}: {message}{}", advice(code))]
    Refused {
        /// The stream.
        stream: String,
        /// HTTP status.
        status: u16,
        /// The error's code.
        code: String,
        /// Its message.
        message: String,
    },
    /// The connection broke too often.
    #[error("PutMedia on {stream} broke {TRIES} times in a row, last with: {reason}")]
    Broken {
        /// The stream.
        stream: String,
        /// The reason of the last break.
        reason: String,
    },
}

/// Returns the next step after an error of PutMedia, if there is one to name.
fn advice(code: &str) -> &'static str {
    match code {
        "ResourceNotFoundException" => {
            ": check the session's id, or open a session with POST /sessions"
        }
        _ => "",
    }
}

/// A producer: where and how it sends.
#[derive(Debug, Clone)]
pub struct Producer {
    /// The cloud's URL, for example `http://127.0.0.1:7878`, without a trailing slash.
    pub url: String,
    /// The stream's name.
    pub stream: String,
    /// Speed and fragments.
    pub pace: Pace,
    /// The producer's clock at the start of the recording, ms since the epoch.
    pub start_ms: i64,
    /// Fragments before the first one that was not acknowledged as PERSISTED that a reconnect sends
    /// again: the rollback of AWS's producer SDKs.
    pub rollback: usize,
}

/// How one connection ended.
enum Ended {
    Whole,
    Broken(String),
}

impl Producer {
    /// Sends a whole recording; `progress` is updated with every packet.
    ///
    /// # Errors
    /// [`SpeakError`] when the stream rejects it or the connection breaks too often.
    pub async fn speak(
        &self,
        recording: &Recording,
        progress: &watch::Sender<Spoken>,
    ) -> Result<Spoken, SpeakError> {
        let fragments = muxer::fragments(&recording.packets, self.pace.fragment_ms);
        // The server is on this machine, so a proxy of the environment does not apply.
        let client = reqwest::Client::builder().no_proxy().build().map_err(|error| {
            SpeakError::Broken { stream: self.stream.clone(), reason: error.to_string() }
        })?;
        let started = Instant::now();
        let mut broken = 0;
        let mut from = 0;
        loop {
            let persisted = progress.borrow().persisted;
            match self.connect(&client, recording, &fragments, from, started, progress).await? {
                Ended::Whole => return Ok(*progress.borrow()),
                Ended::Broken(reason) => {
                    broken = if progress.borrow().persisted > persisted { 1 } else { broken + 1 };
                    if broken >= TRIES {
                        return Err(SpeakError::Broken { stream: self.stream.clone(), reason });
                    }
                    tracing::warn!(
                        stream = self.stream,
                        reason,
                        "PutMedia connection broke; reconnecting"
                    );
                    progress.send_modify(|spoken| spoken.reconnects += 1);
                    from = progress.borrow().persisted.saturating_sub(self.rollback);
                    tokio::time::sleep(PAUSE * (1 << broken.min(5))).await;
                }
            }
        }
    }

    /// Makes one PutMedia call, from the fragment `from` on.
    async fn connect(
        &self,
        client: &reqwest::Client,
        recording: &Recording,
        fragments: &[Fragment],
        from: usize,
        started: Instant,
        progress: &watch::Sender<Spoken>,
    ) -> Result<Ended, SpeakError> {
        let (blocks, mut waiting) = mpsc::channel::<Bytes>(WAITING);
        let body = futures_util::stream::poll_fn(move |context| waiting.poll_recv(context));
        let body = reqwest::Body::wrap_stream(body.map(Ok::<Bytes, std::convert::Infallible>));
        let answer = client
            .post(format!("{}/putMedia", self.url))
            .header("authorization", authorization())
            .header("x-amzn-stream-name", &self.stream)
            .header("x-amzn-fragment-timecode-type", "RELATIVE")
            .header("x-amzn-producer-start-timestamp", seconds(self.start_ms))
            .body(body)
            .send();
        let read = async {
            match answer.await {
                Err(error) => Ok(Ended::Broken(error.to_string())),
                Ok(answer) if answer.status().is_success() => {
                    Ok(read_acks(answer, fragments, from, progress).await)
                }
                Ok(answer) => self.refused(answer).await,
            }
        };
        let play = self.play(recording, fragments, from, started, blocks, progress);
        tokio::pin!(read, play);
        tokio::select! {
            ended = &mut read => ended,
            () = &mut play => read.await,
        }
    }

    /// Sends each block when it is due. Returns early when the connection is closed.
    async fn play(
        &self,
        recording: &Recording,
        fragments: &[Fragment],
        from: usize,
        started: Instant,
        blocks: mpsc::Sender<Bytes>,
        progress: &watch::Sender<Spoken>,
    ) {
        if blocks.send(Bytes::from(muxer::head(recording))).await.is_err() {
            return;
        }
        let origin_ms = recording.packets.first().map_or(0, |packet| packet.at_ms);
        for fragment in fragments.iter().skip(from) {
            let mut cluster = Some(muxer::cluster(fragment.timecode_ms));
            for index in fragment.first..fragment.end {
                let Some(packet) = recording.packets.get(index) else { return };
                // A block exists when its last sample was recorded.
                let due_ms =
                    packet.at_ms - origin_ms.min(packet.at_ms) + u64::from(packet.samples_48k) / 48;
                let due = Duration::from_secs_f64(due_ms as f64 / 1000.0 / self.pace.speed);
                tokio::time::sleep_until(started + due).await;
                let mut bytes = cluster.take().unwrap_or_default();
                bytes.extend(muxer::block(packet, fragment.timecode_ms));
                if blocks.send(Bytes::from(bytes)).await.is_err() {
                    return;
                }
                progress.send_modify(|spoken| spoken.packets = spoken.packets.max(index + 1));
            }
        }
    }

    async fn refused(&self, answer: reqwest::Response) -> Result<Ended, SpeakError> {
        let status = answer.status().as_u16();
        let code = answer
            .headers()
            .get("x-amzn-errortype")
            .and_then(|code| code.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body: Value = answer.json().await.unwrap_or_default();
        let message = body["Message"].as_str().unwrap_or_default().to_owned();
        let passing = status >= 500
            || matches!(
                code.as_str(),
                "ConnectionLimitExceededException" | "ClientLimitExceededException"
            );
        if passing {
            return Ok(Ended::Broken(format!("{status} {code}: {message}")));
        }
        Err(SpeakError::Refused { stream: self.stream.clone(), status, code, message })
    }
}

/// Reads acknowledgements until the end of the answer.
async fn read_acks(
    answer: reqwest::Response,
    fragments: &[Fragment],
    from: usize,
    progress: &watch::Sender<Spoken>,
) -> Ended {
    let mut pieces = answer.bytes_stream();
    let mut line = Vec::new();
    let mut whole = from;
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => return Ended::Broken(error.to_string()),
        };
        for byte in piece {
            if byte != b'\n' {
                line.push(byte);
                if line.len() > LINE_BYTES {
                    return Ended::Broken("an acknowledgement without end".to_owned());
                }
                continue;
            }
            let ack: Value = serde_json::from_slice(&line).unwrap_or_default();
            line.clear();
            match ack["EventType"].as_str() {
                Some("RECEIVED") => whole += 1,
                // After a rollback, fragments that were persisted before are sent again.
                Some("PERSISTED") => {
                    progress.send_modify(|spoken| spoken.persisted = spoken.persisted.max(whole));
                }
                Some("ERROR") => {
                    return Ended::Broken(format!("{} {}", ack["ErrorId"], ack["ErrorCode"]));
                }
                _ => {}
            }
        }
    }
    if whole < fragments.len() {
        return Ended::Broken(format!("it ended after {whole} of {} fragments", fragments.len()));
    }
    Ended::Whole
}

/// Returns an Authorization header: local-cloud selects the service by the signing scope and does
/// not check the signature.
fn authorization() -> String {
    "AWS4-HMAC-SHA256 Credential=speaker/20260101/us-east-1/kinesisvideo/aws4_request, \
     SignedHeaders=host, Signature=0"
        .to_owned()
}

/// Formats milliseconds as seconds for the header.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
