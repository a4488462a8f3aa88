//! `PUT /_local/tasks/TASK`: changes the service of a task, as ECS's UpdateService does:
//! `{"desiredCount": 3}`, `{"forceNewDeployment": true}` or both. Returns its state at once; the
//! workers that are stopped have their StopTimeout.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;

use super::{Refused, json_answer, not_found, read};
use crate::services::Services;
use crate::tasks::{ServiceUpdate, UpdateError};

pub(super) async fn update(
    State(services): State<Arc<Services>>,
    Path(task): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    let update: ServiceUpdate = read(request).await?;
    let updated = services.tasks.update(&task, update).map_err(|error| match error {
        UpdateError::Unknown(_) => not_found(&error.to_string()),
        UpdateError::TooMany => Refused(StatusCode::BAD_REQUEST, error.to_string()),
    })?;
    Ok(json_answer(StatusCode::OK, &updated))
}
