//! The traces of a session in X-Ray.

use aws_sdk_xray::Client;
use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::TimeRangeType;
use serde_json::Value;

use super::{Aws, failed};
use crate::error::Error;

/// The most traces of one BatchGetTraces.
const BATCH: usize = 5;

/// A trace: its id, and the documents of its segments in no order.
#[derive(Debug)]
pub(crate) struct TraceDocuments {
    pub(crate) id: String,
    pub(crate) documents: Vec<Value>,
}

impl Aws {
    /// Returns the ids of the traces that are annotated with a session, of a period in Unix ms.
    pub(crate) async fn trace_ids(
        &self,
        session: &str,
        (from, to): (i64, i64),
    ) -> Result<Vec<String>, Error> {
        let operation = "xray get-trace-summaries";
        let filter = format!("annotation.sessionId = \"{session}\"");
        let (start, end) = ((from / 1_000).to_string(), (to / 1_000).to_string());
        let arguments =
            [("--start-time", &start), ("--end-time", &end), ("--filter-expression", &filter)];
        self.show(operation, &arguments.map(|(name, value)| (name, value.as_str())), None);
        let request = Client::new(&self.config).get_trace_summaries();
        let request =
            request.start_time(DateTime::from_millis(from)).end_time(DateTime::from_millis(to));
        let request = request.time_range_type(TimeRangeType::TraceId).filter_expression(filter);
        let mut pages = request.into_paginator().send();
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            let summaries = page.map_err(failed(operation))?.trace_summaries.unwrap_or_default();
            ids.extend(summaries.into_iter().filter_map(|summary| summary.id));
        }
        // They begin with their time, as hexadecimal digits of constant length.
        ids.sort();
        Ok(ids)
    }

    /// Returns traces with their documents, in the order of their ids.
    pub(crate) async fn traces(&self, ids: &[String]) -> Result<Vec<TraceDocuments>, Error> {
        let operation = "xray batch-get-traces";
        let client = Client::new(&self.config);
        let mut traces = Vec::new();
        for batch in ids.chunks(BATCH) {
            let mut arguments = vec![("--trace-ids", "")];
            arguments.extend(batch.iter().map(|id| ("", id.as_str())));
            self.show(operation, &arguments, None);
            let request = client.batch_get_traces().set_trace_ids(Some(batch.to_vec()));
            let mut pages = request.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(failed(operation))?.traces.unwrap_or_default();
                for trace in page {
                    traces.push(documents(trace)?);
                }
            }
        }
        traces.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(traces)
    }
}

fn documents(trace: aws_sdk_xray::types::Trace) -> Result<TraceDocuments, Error> {
    let id = trace.id.unwrap_or_default();
    let segments = trace.segments.unwrap_or_default().into_iter().filter_map(|it| it.document);
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|reason| Error::Malformed {
            what: format!("a segment of the trace {id}"),
            reason: reason.to_string(),
        })
    };
    let documents = segments.map(read).collect::<Result<_, _>>()?;
    Ok(TraceDocuments { id, documents })
}
