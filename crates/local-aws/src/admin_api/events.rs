//! `GET /_local/events`: the latest 10,000 events of the bus, oldest first, as
//! `{"events": [{"number", "receivedAt", "rules", "event"}], "last": N}`. `rules` are the names of
//! the rules that the event triggered. `?after=N` leaves out the events up to number N. Numbers
//! start at 1 with each start of the cloud, and nothing is kept over a restart.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::{QueryOf, Refused, json_answer};
use crate::services::Services;

/// The query of the request.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    /// The number of the last event to leave out.
    #[serde(default)]
    after: u64,
}

/// Returns the events after a number.
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    query: QueryOf<After>,
) -> Result<Response, Refused> {
    Ok(json_answer(StatusCode::OK, &services.events.after(query?.after)))
}
