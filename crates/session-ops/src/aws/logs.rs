//! The logs of the functions and workers in CloudWatch Logs.

use aws_sdk_cloudwatchlogs::Client;

use super::{Aws, failed};
use crate::error::Error;

/// The most events of a page.
const PAGE: i32 = 1_000;

/// What is read of a log.
#[derive(Debug, Clone)]
pub(crate) struct LogQuery {
    /// The log group.
    pub(crate) group: String,
    /// The filter pattern.
    pub(crate) pattern: String,
    /// The first time, Unix ms.
    pub(crate) start: i64,
    /// The page; `None`: the first.
    pub(crate) token: Option<String>,
}

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct LogEvent {
    /// Its id, unique in the log group.
    pub(crate) id: String,
    /// Its time, Unix ms.
    pub(crate) timestamp: i64,
    /// The line as the function wrote it.
    pub(crate) message: String,
}

/// A page of events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct LogPage {
    pub(crate) events: Vec<LogEvent>,
    /// The next page; `None`: there is none.
    pub(crate) next: Option<String>,
}

impl Aws {
    /// Returns a page of a log, which may be empty although there is a next one. A function that
    /// has not logged anything yet, and a stack without workers, may have no log group; its page is
    /// empty.
    pub(crate) async fn log_page(&self, query: &LogQuery) -> Result<LogPage, Error> {
        let operation = "logs filter-log-events";
        let (start, limit) = (query.start.to_string(), PAGE.to_string());
        let mut arguments = vec![
            ("--log-group-name", query.group.as_str()),
            ("--filter-pattern", &query.pattern),
            ("--start-time", &start),
            ("--limit", &limit),
            ("--no-paginate", ""),
        ];
        arguments.extend(query.token.as_deref().map(|token| ("--next-token", token)));
        self.show(operation, &arguments, None);
        let filter = Client::new(&self.config).filter_log_events().log_group_name(&query.group);
        let filter = filter.filter_pattern(&query.pattern).start_time(query.start).limit(PAGE);
        let output = match filter.set_next_token(query.token.clone()).send().await {
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|it| it.is_resource_not_found_exception()) =>
            {
                return Ok(LogPage::default());
            }
            other => other.map_err(failed(operation))?,
        };
        let events = output.events.unwrap_or_default().into_iter().map(|event| LogEvent {
            id: event.event_id.unwrap_or_default(),
            timestamp: event.timestamp.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
        });
        Ok(LogPage { events: events.collect(), next: output.next_token })
    }
}
