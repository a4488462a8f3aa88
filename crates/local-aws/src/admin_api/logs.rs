//! `GET /_local/logs/PACKAGE`: the log of a function, as text. `?from=N` leaves out the first N
//! bytes, so a client that has read N bytes requests only what was added since.

use std::io::SeekFrom;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{QueryOf, Refused, is_plain, not_found};
use crate::services::Services;

/// The query of the request.
#[derive(Debug, Deserialize)]
pub(super) struct Part {
    /// The bytes to leave out.
    #[serde(default)]
    from: u64,
}

/// Returns the log from a byte on; empty if it is not longer than that. 404 while the function has
/// no log.
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Path(package): Path<String>,
    part: QueryOf<Part>,
) -> Result<Response, Refused> {
    if !is_plain(&package) {
        return Err(not_found("no function package has such a name"));
    }
    match read(&services.logs.join(format!("{package}.log")), part?.from).await {
        Ok(bytes) => Ok(([(header::CONTENT_TYPE, "text/plain")], bytes).into_response()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(not_found(&format!("the function package {package} has no log yet")))
        }
        Err(error) => Err(not_found(&format!("its log cannot be read: {error}"))),
    }
}

async fn read(path: &FilePath, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(SeekFrom::Start(from)).await?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_is_read_from_a_byte_on() {
        let path = std::env::temp_dir().join(format!("{}.log", uuid::Uuid::new_v4()));
        tokio::fs::write(&path, "one\ntwo\n").await.unwrap();
        for (from, expected) in [(0, "one\ntwo\n"), (4, "two\n"), (8, ""), (99, "")] {
            assert_eq!(read(&path, from).await.unwrap(), expected.as_bytes(), "{from}");
        }
        tokio::fs::remove_file(&path).await.unwrap();
    }
}
