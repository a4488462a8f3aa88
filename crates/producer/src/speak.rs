//! Sends a recording with PutMedia in real time, block by block or in whole fragments. After a
//! broken connection it resumes with the first fragment that was not acknowledged as PERSISTED, as
//! AWS's producers do.

use std::time::Duration;

use aws_adapters::put_media::{Acks, PutMedia};
use bytes::Bytes;
use futures_util::stream;
use session::{ErrorKind, PortError};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::Pace;
use crate::ack::{Ack, AckKind, AckParser};
use crate::muxer::{self, Fragment};
use crate::recording::Recording;

/// Blocks that are buffered for the connection.
const WAITING: usize = 256;
/// The usual maximum number of broken connections in a row, without a fragment persisted between
/// them.
pub const TRIES: u32 = 8;
/// Delay before the first reconnect; doubled each time. KVS must have closed the old connection by
/// then.
const PAUSE: Duration = Duration::from_millis(100);

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
    #[error("{stream}: {source}{}", advice(source))]
    Refused {
        /// The stream.
        stream: String,
        /// KVS's error.
        source: PortError,
    },
    /// The connection broke too often.
    #[error("PutMedia on {stream} broke{}: {reason}", repeated(*tries))]
    Broken {
        /// The stream.
        stream: String,
        /// The broken connections.
        tries: u32,
        /// The reason of the last break.
        reason: String,
    },
}

/// Returns how often a connection broke, if more than once.
fn repeated(tries: u32) -> String {
    match tries {
        1 => String::new(),
        tries => format!(" {tries} times in a row, last with"),
    }
}

/// Returns the next step after an error of PutMedia, if there is one to name.
fn advice(error: &PortError) -> &'static str {
    match error.kind {
        ErrorKind::NotFound => ": check the session's id, or open a session with POST /sessions",
        _ => "",
    }
}

/// A producer: where and how it sends.
#[derive(Debug)]
pub struct Producer {
    /// The stream's endpoint for PutMedia.
    pub put_media: PutMedia,
    /// The stream's name.
    pub stream: String,
    /// Speed and fragments.
    pub pace: Pace,
    /// The producer's clock at the start of the recording, ms since the epoch.
    pub start_ms: i64,
    /// Fragments before the first one that was not acknowledged as PERSISTED that a reconnect sends
    /// again: the rollback of AWS's producer SDKs.
    pub rollback: usize,
    /// Maximum number of broken connections in a row, without a fragment persisted between them;
    /// usually [`TRIES`].
    pub tries: u32,
}

/// What a connection reports: each packet and acknowledgement.
struct Observer<'a> {
    progress: &'a watch::Sender<Spoken>,
    on_ack: &'a (dyn Fn(&Ack) + Sync),
}

/// How one connection ended.
enum Ended {
    Whole,
    Broken(String),
}

impl Producer {
    /// Sends a whole recording. `progress` is updated with every packet, `on_ack` is called with
    /// each acknowledgement.
    ///
    /// # Errors
    /// [`SpeakError`] when the stream rejects it or the connection breaks too often.
    pub async fn speak(
        &self,
        recording: &Recording,
        progress: &watch::Sender<Spoken>,
        on_ack: impl Fn(&Ack) + Sync,
    ) -> Result<Spoken, SpeakError> {
        let fragments = muxer::fragments(&recording.packets, self.pace.fragment_ms);
        let observer = Observer { progress, on_ack: &on_ack };
        let started = Instant::now();
        let mut broken = 0;
        let mut from = 0;
        loop {
            let persisted = progress.borrow().persisted;
            match self.connect(recording, &fragments, from, started, &observer).await? {
                Ended::Whole => return Ok(*progress.borrow()),
                Ended::Broken(reason) => {
                    broken = if progress.borrow().persisted > persisted { 1 } else { broken + 1 };
                    if broken >= self.tries {
                        let (stream, tries) = (self.stream.clone(), self.tries);
                        return Err(SpeakError::Broken { stream, tries, reason });
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
        recording: &Recording,
        fragments: &[Fragment],
        from: usize,
        started: Instant,
        observer: &Observer<'_>,
    ) -> Result<Ended, SpeakError> {
        let (blocks, mut waiting) = mpsc::channel::<Bytes>(WAITING);
        let media = stream::poll_fn(move |context| waiting.poll_recv(context));
        let read = async {
            match self.put_media.open(&self.stream, self.start_ms, media).await {
                Ok(acks) => Ok(read_acks(acks, fragments, from, observer).await),
                Err(error) if error.is_retryable() => Ok(Ended::Broken(error.to_string())),
                Err(source) => Err(SpeakError::Refused { stream: self.stream.clone(), source }),
            }
        };
        let play = self.play(recording, fragments, from, started, blocks, observer.progress);
        tokio::pin!(read, play);
        tokio::select! {
            ended = &mut read => ended,
            () = &mut play => read.await,
        }
    }

    /// Sends each block, or each whole fragment, when it is due. Returns early when the connection
    /// is closed.
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
            let mut unsent = muxer::cluster(fragment.timecode_ms);
            for index in fragment.first..fragment.end {
                let Some(packet) = recording.packets.get(index) else { return };
                unsent.extend(muxer::block(packet, fragment.timecode_ms));
                if self.pace.whole_fragments && index + 1 < fragment.end {
                    continue;
                }
                // A block exists when its last sample was recorded.
                let due_ms =
                    packet.at_ms - origin_ms.min(packet.at_ms) + u64::from(packet.samples_48k) / 48;
                let due = Duration::from_secs_f64(due_ms as f64 / 1000.0 / self.pace.speed);
                tokio::time::sleep_until(started + due).await;
                if blocks.send(Bytes::from(std::mem::take(&mut unsent))).await.is_err() {
                    return;
                }
                progress.send_modify(|spoken| spoken.packets = spoken.packets.max(index + 1));
            }
        }
    }
}

/// Reads acknowledgements until the end of the answer.
async fn read_acks(
    mut acks: Acks,
    fragments: &[Fragment],
    from: usize,
    observer: &Observer<'_>,
) -> Ended {
    let mut parser = AckParser::default();
    let mut whole = from;
    while let Some(piece) = acks.next().await {
        let parsed = match piece {
            Ok(piece) => parser.push(&piece),
            Err(error) => return Ended::Broken(error.to_string()),
        };
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => return Ended::Broken(reason),
        };
        for ack in parsed {
            (observer.on_ack)(&ack);
            match ack.kind {
                Some(AckKind::Received) => whole += 1,
                // After a rollback, fragments that were persisted before are sent again.
                Some(AckKind::Persisted) => observer
                    .progress
                    .send_modify(|spoken| spoken.persisted = spoken.persisted.max(whole)),
                Some(AckKind::Error) => return Ended::Broken(ack.error()),
                _ => {}
            }
        }
    }
    if whole < fragments.len() {
        return Ended::Broken(format!("it ended after {whole} of {} fragments", fragments.len()));
    }
    Ended::Whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_connection_is_counted_only_if_there_were_others() {
        let broken = |tries| {
            let (stream, reason) = ("session-a".to_owned(), "HTTP 500".to_owned());
            SpeakError::Broken { stream, tries, reason }.to_string()
        };
        assert_eq!(broken(1), "PutMedia on session-a broke: HTTP 500");
        let many = "PutMedia on session-a broke 8 times in a row, last with: HTTP 500";
        assert_eq!(broken(8), many);
    }
}
