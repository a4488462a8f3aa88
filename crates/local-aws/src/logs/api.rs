//! The operations, from JSON requests to JSON answers.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Value, json};

use super::Logs;
use super::filter::Filter;
use super::group::{Group, Stream, unreadable};
use super::page::{MAX_EVENTS, Page, backward, forward, read_token, token};
use super::parameters::{described, invalid, limit, not_found, text, time};
use super::reader::{Event, Position};
use crate::aws_error::AwsError;

const JSON: &str = "application/x-amz-json-1.1";
/// No request needs more, in bytes.
const MAX_REQUEST: usize = 64 * 1024;

impl Logs {
    /// Answers one request of the `logs` scope.
    pub(crate) async fn handle(self: Arc<Self>, request: Request) -> Response {
        let operation = crate::wire::operation(request.headers());
        match self.answer(operation, request).await {
            Ok(body) => {
                ([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))], body.to_string())
                    .into_response()
            }
            Err(error) => error.json(JSON),
        }
    }

    async fn answer(
        self: Arc<Self>,
        operation: String,
        request: Request,
    ) -> Result<Value, AwsError> {
        let body = axum::body::to_bytes(request.into_body(), MAX_REQUEST).await;
        let body = body.map_err(|_| invalid("the request is longer than 64 KiB"))?;
        let body: Value = serde_json::from_slice(&body).map_err(|error| {
            AwsError::bad_request("SerializationException", format!("not JSON: {error}"))
        })?;
        // Reading a long log must not keep other requests waiting.
        let task = tokio::task::spawn_blocking(move || self.run(&operation, &body));
        task.await.unwrap_or_else(|error| {
            Err(AwsError::internal("ServiceUnavailableException", error.to_string()))
        })
    }

    fn run(&self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        match operation {
            "DescribeLogGroups" => self.describe_log_groups(request),
            "DescribeLogStreams" => self.describe_log_streams(request),
            "FilterLogEvents" => self.filter_log_events(request),
            "GetLogEvents" => self.get_log_events(request),
            other => Err(AwsError::not_implemented("logs", other)),
        }
    }

    fn describe_log_groups(&self, request: &Value) -> Result<Value, AwsError> {
        let (prefix, part) =
            (text(request, "logGroupNamePrefix"), text(request, "logGroupNamePattern"));
        if prefix.is_some() && part.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let groups = self.groups.iter().filter(|group| {
            prefix.is_none_or(|prefix| group.name.starts_with(prefix))
                && part.is_none_or(|part| group.name.contains(part))
        });
        described(request, "logGroups", groups.map(Group::show).collect())
    }

    fn describe_log_streams(&self, request: &Value) -> Result<Value, AwsError> {
        let group = self.group(request)?;
        let prefix = text(request, "logStreamNamePrefix");
        if prefix.is_some() && text(request, "orderBy") == Some("LastEventTime") {
            return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
        let streams = group.stream()?.into_iter();
        let streams = streams.filter(|it| prefix.is_none_or(|prefix| it.name.starts_with(prefix)));
        described(request, "logStreams", streams.map(|stream| stream.show()).collect())
    }

    fn filter_log_events(&self, request: &Value) -> Result<Value, AwsError> {
        let group = self.group(request)?;
        let pattern = text(request, "filterPattern").unwrap_or_default();
        let filter = Filter::read(pattern).ok_or_else(|| invalid("Invalid filter pattern"))?;
        let limit = limit(request, MAX_EVENTS)?;
        let from = match text(request, "nextToken") {
            Some(token) => read_token('n', token)
                .ok_or_else(|| invalid("The specified nextToken is invalid."))?,
            None => Position::default(),
        };
        let (start, end) = (time(request, "startTime")?, time(request, "endTime")?);
        let empty = json!({"events": [], "searchedLogStreams": []});
        let Some(stream) = group.stream()? else { return Ok(empty) };
        if !chosen(request, &stream)? {
            return Ok(empty);
        }
        let Some(reader) = group.open(from)? else { return Ok(empty) };
        let wanted = |event: &Event| {
            start.is_none_or(|start| event.timestamp >= start)
                && end.is_none_or(|end| event.timestamp <= end)
                && filter.passes(&event.message)
        };
        let mut page = forward(reader, limit, wanted).map_err(|error| unreadable(&error))?;
        page.events.sort_by_key(|event| event.timestamp);
        let mut answer = json!({"searchedLogStreams": []});
        answer["events"] = page.events.iter().map(|event| filtered(&stream, event)).collect();
        if let Some(next) = page.next {
            answer["nextToken"] = token('n', next).into();
        }
        Ok(answer)
    }

    fn get_log_events(&self, request: &Value) -> Result<Value, AwsError> {
        let group = self.group(request)?;
        let name =
            text(request, "logStreamName").ok_or_else(|| invalid("logStreamName is missing"))?;
        let stream = group.stream()?.filter(|stream| stream.name == name);
        stream.ok_or_else(|| not_found("stream"))?;
        let limit = limit(request, MAX_EVENTS)?;
        let (start, end) = (time(request, "startTime")?, time(request, "endTime")?);
        // Unlike FilterLogEvents, it leaves out an event at the end of the range.
        let wanted = |event: &Event| {
            start.is_none_or(|start| event.timestamp >= start)
                && end.is_none_or(|end| event.timestamp < end)
        };
        let direction = Direction::of(request)?;
        let begin = match direction {
            Direction::Forward(from) => from,
            Direction::Backward(_) => Position::default(),
        };
        let reader = group.open(begin)?.ok_or_else(|| not_found("stream"))?;
        let page = match direction {
            Direction::Forward(_) => forward(reader, limit, wanted),
            Direction::Backward(until) => backward(reader, until, limit, wanted),
        };
        Ok(got(&page.map_err(|error| unreadable(&error))?, direction))
    }

    /// Returns the group that `logGroupName` or `logGroupIdentifier` names.
    fn group(&self, request: &Value) -> Result<&Group, AwsError> {
        let names = ["logGroupName", "logGroupIdentifier"];
        let mut given = names.into_iter().filter_map(|name| text(request, name));
        let identifier = given.next().ok_or_else(|| {
            invalid("Either logGroupName or logGroupIdentifier must be specified")
        })?;
        if given.next().is_some() {
            return Err(invalid(
                "Only one of logGroupName and logGroupIdentifier may be specified",
            ));
        }
        let group = self.groups.iter().find(|group| group.is(identifier));
        group.ok_or_else(|| not_found("group"))
    }
}

/// Where GetLogEvents reads.
#[derive(Clone, Copy)]
enum Direction {
    /// From a position on.
    Forward(Position),
    /// What begins before a byte.
    Backward(u64),
}

impl Direction {
    fn of(request: &Value) -> Result<Self, AwsError> {
        let Some(token) = text(request, "nextToken") else {
            return Ok(match request["startFromHead"].as_bool() {
                Some(true) => Self::Forward(Position::default()),
                _ => Self::Backward(u64::MAX),
            });
        };
        let forward = read_token('f', token).map(Self::Forward);
        let backward = || read_token('b', token).map(|at| Self::Backward(at.offset));
        let found = forward.or_else(backward);
        found.ok_or_else(|| invalid("The specified nextToken is invalid."))
    }
}

/// Returns the answer of GetLogEvents. At an end, its token is the one that was given, by which
/// clients know the end.
fn got(page: &Page, direction: Direction) -> Value {
    let first = page.events.first().map(|event| event.at);
    let (before, after) = match direction {
        Direction::Forward(from) => (first.unwrap_or(from), page.end),
        Direction::Backward(until) => {
            let offset = if until == u64::MAX { page.end.offset } else { until };
            (first.unwrap_or(Position { offset, time: 0 }), page.end)
        }
    };
    let events = page.events.iter().map(|event| {
        json!({"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp})
    });
    json!({
        "events": events.collect::<Vec<_>>(),
        "nextForwardToken": token('f', after), "nextBackwardToken": token('b', before),
    })
}

fn filtered(stream: &Stream, event: &Event) -> Value {
    json!({
        "logStreamName": stream.name, "timestamp": event.timestamp, "message": event.message,
        "ingestionTime": event.timestamp, "eventId": event.id(),
    })
}

/// Returns whether FilterLogEvents searches the stream.
fn chosen(request: &Value, stream: &Stream) -> Result<bool, AwsError> {
    let prefix = text(request, "logStreamNamePrefix");
    let names = request["logStreamNames"].as_array();
    if prefix.is_some() && names.is_some() {
        return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive."));
    }
    if let Some(names) = names {
        let is_known = |name: &Value| name.as_str() == Some(&stream.name);
        return if names.iter().all(is_known) { Ok(true) } else { Err(not_found("stream")) };
    }
    Ok(prefix.is_none_or(|prefix| stream.name.starts_with(prefix)))
}

#[cfg(test)]
mod tests;
