//! The HTTP side of X-Ray.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Method, header};
use serde_json::{Value, json};

use super::XRay;
use super::compiled::{end, segments, start};
use super::filter::Filter;
use super::summary::Summary;
use crate::aws_error::AwsError;

/// Maximum length of a request, in bytes.
const MAX_REQUEST: usize = 1_000_000;
/// Maximum number of ids of one BatchGetTraces, and of documents of one PutTraceSegments.
const MAX_IDS: usize = 5;
const MAX_DOCUMENTS: usize = 50;
/// Maximum time range of GetTraceSummaries, in seconds (6 hours).
const MAX_RANGE: f64 = 6.0 * 3600.0;
/// Traces of one page of GetTraceSummaries.
const PAGE: usize = 100;

impl XRay {
    /// Answers one request of the `xray` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        match self.route(request).await {
            Ok(body) => {
                ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
            }
            Err(error) => error.rest_json(),
        }
    }

    async fn route(&self, request: Request) -> Result<Value, AwsError> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let operation = match (&head.method, path) {
            (&Method::POST, "/TraceSegments") => Self::put_trace_segments,
            (&Method::POST, "/Traces") => Self::batch_get_traces,
            (&Method::POST, "/TraceSummaries") => Self::trace_summaries,
            (&Method::POST, "/TelemetryRecords") => |_: &Self, _: &Value| Ok(json!({})),
            (method, path) => {
                return Err(AwsError::not_implemented("xray", &format!("{method} {path}")));
            }
        };
        let body =
            to_bytes(body, MAX_REQUEST).await.map_err(|_| invalid("the body is too long"))?;
        let body = serde_json::from_slice(&body).map_err(|error| invalid(error.to_string()))?;
        operation(self, &body)
    }

    fn put_trace_segments(&self, body: &Value) -> Result<Value, AwsError> {
        let documents = texts(body, "TraceSegmentDocuments", MAX_DOCUMENTS)?;
        let unprocessed = documents.into_iter().filter_map(|document| self.put(document).err());
        let unprocessed = unprocessed
            .map(|it| json!({ "Id": it.id, "ErrorCode": it.code, "Message": it.message }));
        Ok(json!({ "UnprocessedTraceSegments": unprocessed.collect::<Vec<_>>() }))
    }

    /// An id without a trace is left out of the answer, as X-Ray does.
    fn batch_get_traces(&self, body: &Value) -> Result<Value, AwsError> {
        let ids = texts(body, "TraceIds", MAX_IDS)?;
        let traces = self.traces();
        let found = ids.into_iter().filter_map(|id| Some((id, traces.get(id)?)));
        let found = found.map(|(id, trace)| {
            let segments = segments(trace);
            let first = segments.iter().map(start).fold(f64::MAX, f64::min);
            let last = segments.iter().map(end).fold(first, f64::max);
            let documents = segments.into_iter().map(|segment| {
                let id = segment.get("id").cloned();
                json!({ "Id": id, "Document": Value::Object(segment).to_string() })
            });
            json!({
                "Id": id,
                "Duration": last - first,
                "LimitExceeded": trace.limit_exceeded,
                "Segments": documents.collect::<Vec<_>>(),
            })
        });
        Ok(json!({ "Traces": found.collect::<Vec<_>>(), "UnprocessedTraceIds": [] }))
    }

    fn trace_summaries(&self, body: &Value) -> Result<Value, AwsError> {
        let time = |name: &str| {
            body[name].as_f64().ok_or_else(|| invalid(format!("{name} is missing or not a time")))
        };
        let (from, to) = (time("StartTime")?, time("EndTime")?);
        if to < from {
            return Err(invalid("StartTime must be before EndTime"));
        }
        if to - from > MAX_RANGE {
            return Err(invalid("Time range cannot be longer than 6 hours"));
        }
        let by_event = match body["TimeRangeType"].as_str().unwrap_or("TraceId") {
            "TraceId" => false,
            "Event" => true,
            other => return Err(invalid(format!("TimeRangeType {other} is not supported"))),
        };
        let filter = body["FilterExpression"].as_str().unwrap_or_default();
        let filter = Filter::read(filter).map_err(invalid)?;
        let skip = match body["NextToken"].as_str() {
            Some(token) => token.parse().map_err(|_| invalid("NextToken is not valid"))?,
            None => 0_usize,
        };
        let traces = self.traces();
        let account = &self.account.id;
        let summaries = traces.newest().map(|(id, trace)| Summary::of(id, trace, account));
        let in_range = summaries.filter(|it| match by_event {
            true => it.start <= to && it.end >= from,
            false => (from..=to).contains(&it.start),
        });
        let found = in_range.filter(|summary| filter.matches(summary));
        let mut page: Vec<_> = found.skip(skip).take(PAGE + 1).map(|it| it.to_json()).collect();
        let more = page.len() > PAGE;
        page.truncate(PAGE);
        let mut answer = json!({
            "TraceSummaries": page, "ApproximateTime": to, "TracesProcessedCount": traces.len(),
        });
        if more {
            answer["NextToken"] = (skip + PAGE).to_string().into();
        }
        Ok(answer)
    }
}

/// Returns a required list of 1 to `most` texts.
fn texts<'a>(body: &'a Value, name: &str, most: usize) -> Result<Vec<&'a str>, AwsError> {
    let list = body[name].as_array().ok_or_else(|| invalid(format!("{name} is missing")))?;
    let texts: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
    texts
        .filter(|texts| (1..=most).contains(&texts.len()))
        .ok_or_else(|| invalid(format!("{name} must be a list of 1 to {most} texts")))
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidRequestException", message)
}
