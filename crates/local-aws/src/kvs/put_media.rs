//! PutMedia: receives a producer's chunked Matroska and sends acknowledgements on the same
//! connection.
//!
//! `BUFFERING` when a fragment begins, `RECEIVED` when it is complete, `PERSISTED` when it is
//! stored for the retention period, `ERROR` before the connection ends because of a violated rule.
//! One JSON object per line. (API_dataplane_PutMedia.)

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::aws_error::AwsError;
use crate::faults::{Fault, FaultKind};

use super::Kvs;
use super::errors;
use super::fragment::{FragmentHead, ServerTime};
use super::fragment_store::{Access, ConnectionPermit, FragmentStore};
use super::fragmenter::{FragmentEvent, Fragmenter};
use super::ingest_error::IngestError;

/// Acknowledgements that are buffered for a producer that does not read them; then ingestion waits.
const WAITING_ACKS: usize = 1024;
/// Longest time for which bytes are discarded after an error, in real time.
const LINGER: Duration = Duration::from_secs(2);

impl Kvs {
    pub(super) async fn put_media(
        self: &Arc<Self>,
        request: Request,
    ) -> Result<Response, AwsError> {
        let headers = request.headers();
        let name = text(headers, "x-amzn-stream-name")?.map(str::to_owned);
        let arn = text(headers, "x-amzn-stream-arn")?.map(str::to_owned);
        let target = name.as_deref().or(arn.as_deref()).unwrap_or_default();
        let fault = self.faults.gate("kinesisvideo", "PutMedia", target).await?;
        let now_ms = self.clock.now_ms();
        let origin_ms = origin_ms(request.headers(), now_ms)?;
        let store = self.media_of(name.as_deref(), arn.as_deref(), now_ms)?;
        let permit = store.acquire(Access::Write, now_ms)?;
        let (acks, mut waiting) = mpsc::channel(WAITING_ACKS);
        let ingestion = Ingestion {
            kvs: Arc::clone(self),
            store,
            _permit: permit,
            origin_ms,
            fragmenter: Fragmenter::default(),
            open: None,
            acks,
            fault,
        };
        tokio::spawn(ingestion.run(request.into_body()));
        let lines = futures_util::stream::poll_fn(move |context| waiting.poll_recv(context));
        let mut response = Response::new(Body::from_stream(lines.map(Ok::<Bytes, Infallible>)));
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    }
}

/// One PutMedia connection.
struct Ingestion {
    kvs: Arc<Kvs>,
    store: Arc<FragmentStore>,
    _permit: ConnectionPermit,
    /// The origin of timecodes, in ms since the Unix epoch: 0 for ABSOLUTE ones.
    origin_ms: i64,
    fragmenter: Fragmenter,
    /// The open fragment and its Cluster's timecode.
    open: Option<(Arc<FragmentHead>, i64)>,
    acks: mpsc::Sender<Bytes>,
    fault: Option<Fault>,
}

impl Ingestion {
    async fn run(mut self, body: Body) {
        let mut pieces = body.into_data_stream();
        if let Err(error) = self.read(&mut pieces).await {
            let (error_id, code) = error.id_and_code();
            tracing::info!(stream = self.store.name(), %error, "PutMedia ends with an error");
            let ack = json!({ "EventType": "ERROR", "ErrorId": error_id, "ErrorCode": code });
            acknowledge(&self.acks, ack, self.open.as_ref()).await;
            drop(self);
            // A connection that is closed with unread bytes is reset, and the acknowledgement may
            // be lost.
            let unread = async { while let Some(Ok(_)) = pieces.next().await {} };
            let _ = tokio::time::timeout(LINGER, unread).await;
        }
    }

    async fn read(&mut self, pieces: &mut BodyDataStream) -> Result<(), IngestError> {
        let store = Arc::clone(&self.store);
        let traffic = self.kvs.traffic.of(store.name());
        let mut taken = 0;
        loop {
            let piece = tokio::select! {
                piece = pieces.next() => piece,
                () = store.closed() => return Err(IngestError::StreamNotActive),
            };
            let mut events = Vec::new();
            let pushed = match piece {
                None => {
                    self.fragmenter.finish(&mut events)?;
                    return self.take(events).await;
                }
                Some(Err(_)) => return Err(IngestError::StreamRead),
                Some(Ok(piece)) => {
                    taken += piece.len();
                    traffic.received(piece.len());
                    self.fragmenter.push(&piece, &mut events)
                }
            };
            self.take(events).await?;
            pushed?;
            self.apply_fault(taken).await?;
        }
    }

    async fn take(&mut self, events: Vec<FragmentEvent>) -> Result<(), IngestError> {
        for event in events {
            match event {
                FragmentEvent::Started { timecode_ms, preamble } => {
                    let producer_ms = self.origin_ms.saturating_add(timecode_ms);
                    let server_time = ServerTime::Cloud(self.kvs.clock.now_ms());
                    let head = self.store.open(server_time, producer_ms, preamble);
                    self.open = Some((head, timecode_ms));
                    self.acknowledge("BUFFERING").await;
                }
                FragmentEvent::Grew { children, duration_ms } => {
                    self.store.grow(children, duration_ms);
                }
                FragmentEvent::Complete(whole) => {
                    let Some((head, _)) = self.open.clone() else { continue };
                    self.acknowledge("RECEIVED").await;
                    if self.store.keep(head, whole, self.kvs.clock.now_ms())? {
                        self.acknowledge("PERSISTED").await;
                    }
                    self.open = None;
                }
            }
        }
        Ok(())
    }

    async fn acknowledge(&self, event: &str) {
        acknowledge(&self.acks, json!({ "EventType": event }), self.open.as_ref()).await;
    }

    /// Applies a fault once `extra.afterBytes` bytes have been received.
    async fn apply_fault(&mut self, taken: usize) -> Result<(), IngestError> {
        let Some(fault) = &self.fault else { return Ok(()) };
        let member = |name: &str| fault.extra.get(name).and_then(Value::as_u64);
        if (taken as u64) < member("afterBytes").unwrap_or_default() {
            return Ok(());
        }
        let (kind, delay) = (fault.kind, fault.delay());
        let error_id = member("errorId").and_then(|id| u32::try_from(id).ok()).unwrap_or(5000);
        self.fault = None;
        match kind {
            FaultKind::Cut => Err(IngestError::StreamRead),
            FaultKind::ErrorTag => Err(IngestError::OnDemand(error_id)),
            FaultKind::Stall => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Sends one acknowledgement. Does nothing when the producer has disconnected.
async fn acknowledge(
    acks: &mpsc::Sender<Bytes>,
    mut ack: Value,
    fragment: Option<&(Arc<FragmentHead>, i64)>,
) {
    if let Some((head, timecode_ms)) = fragment {
        ack["FragmentTimecode"] = json!(timecode_ms);
        ack["FragmentNumber"] = json!(head.number.as_str());
    }
    let _ = acks.send(Bytes::from(format!("{ack}\r\n"))).await;
}

/// Returns the producer's time at timecode 0, in ms since the Unix epoch.
fn origin_ms(headers: &HeaderMap, now_ms: i64) -> Result<i64, AwsError> {
    match text(headers, "x-amzn-fragment-timecode-type")? {
        Some("ABSOLUTE") => Ok(0),
        Some("RELATIVE") => {
            let Some(start) = text(headers, "x-amzn-producer-start-timestamp")? else {
                return Ok(now_ms);
            };
            start
                .parse::<f64>()
                .ok()
                .filter(|seconds| (0.0..1e11).contains(seconds))
                .map(|seconds| (seconds * 1000.0).round() as i64)
                .ok_or_else(|| {
                    errors::invalid(
                        "x-amzn-producer-start-timestamp must be seconds since the epoch",
                    )
                })
        }
        Some(_) | None => {
            Err(errors::invalid("x-amzn-fragment-timecode-type must be ABSOLUTE or RELATIVE"))
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, AwsError> {
    headers
        .get(name)
        .map(|value| value.to_str().map_err(|_| errors::invalid(format!("{name} is not text"))))
        .transpose()
}
