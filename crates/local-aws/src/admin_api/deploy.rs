//! `POST /_local/deploy`: `{"parameters": {"NAME": "VALUE"}}` deploys new values of the template's
//! parameters and returns `{"changed": […]}`, the logical ids of what changed. Workers that are
//! stopped may then still hand over.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Refused, json_answer, read};
use crate::services::Services;

/// The body of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deployment {
    parameters: BTreeMap<String, String>,
}

pub(super) async fn deploy(
    State(services): State<Arc<Services>>,
    request: Request,
) -> Result<Response, Refused> {
    let Deployment { parameters } = read(request).await?;
    // Reading the template takes a tenth of a second.
    let deployed = tokio::task::spawn_blocking(move || services.deploy(parameters)).await;
    let deployed =
        deployed.map_err(|it| Refused(StatusCode::INTERNAL_SERVER_ERROR, it.to_string()))?;
    let changed = deployed.map_err(|it| Refused(StatusCode::BAD_REQUEST, it.to_string()))?;
    Ok(json_answer(StatusCode::OK, &json!({ "changed": changed })))
}
