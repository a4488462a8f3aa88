//! GetMedia: sends the stored fragments as fast as the client reads, then follows the live stream.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};

use crate::aws_error::AwsError;
use crate::faults::Fault;

use super::Kvs;
use super::body_fault::BodyFault;
use super::fragment_store::Access;
use super::input::Input;
use super::reader::Reader;
use super::selector::Selector;

/// The operation that a fault names to apply to a body that is already being sent: it matches each
/// piece of each body.
pub(super) const RUNNING: &str = "GetMediaBody";

impl Kvs {
    pub(super) fn get_media(
        self: &Arc<Self>,
        input: &Input,
        fault: Option<Fault>,
    ) -> Result<Response, AwsError> {
        let now_ms = self.clock.now_ms();
        let store = self.media_of(input.text("StreamName")?, input.text("StreamARN")?, now_ms)?;
        let selector = Selector::read(input)?;
        let permit = store.acquire(Access::Read, now_ms)?;
        let reader = Reader::start(Arc::clone(self), store, permit, &selector, now_ms);
        let body = (reader, BodyFault::new(fault));
        let body = futures_util::stream::unfold(body, |(mut reader, mut fault)| async move {
            fault.replace(reader.running_fault());
            let piece = fault.next(&mut reader).await?;
            if let Ok(bytes) = &piece {
                reader.count(bytes.len());
            }
            Some((piece, (reader, fault)))
        });
        let mut response = Response::new(Body::from_stream(body));
        let kind = HeaderValue::from_static("video/x-matroska");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    }
}
