//! `local-cloud sessions`: the sessions with their delivery, as a list or one in detail.

mod detail;
mod row;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::cloud::Cloud;
use super::{print, until_closed};
use crate::error::Error;
use detail::Detail;
use local_aws::clock::real_now_ms;
use row::Row;

/// Arguments of `local-cloud sessions`.
#[derive(Debug, clap::Args)]
pub struct SessionsArgs {
    #[command(subcommand)]
    show: Option<Show>,
    /// Show this session in detail, for example blessed-shepherd-123. Default: list all sessions.
    session: Option<String>,
    /// Print JSON: one object per session, or for one session all that was found.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Show {
    /// Show one session in detail.
    Show {
        /// The session.
        session: String,
    },
}

/// Prints the sessions of the cloud at `url`, or one of them in detail.
///
/// # Errors
/// The cloud cannot be reached or has no such tables, or there is no such session.
pub async fn sessions(args: &SessionsArgs, url: &str) -> Result<(), Error> {
    let session = match &args.show {
        Some(Show::Show { session }) => Some(session),
        None => args.session.as_ref(),
    };
    if let Some(session) = session {
        super::session_id::check(session)?;
    }
    let cloud = Cloud::at(url).await?;
    until_closed(match session {
        Some(session) => show(&cloud, session, args.json).await,
        None => list(&cloud, args.json).await,
    })
}

async fn list(cloud: &Cloud, as_json: bool) -> Result<(), Error> {
    let state = cloud.json("/_local/state").await?;
    let mut sessions = cloud.scan(&state, "Sessions").await?;
    // A speaker's slots and stored responses are items of the same table, without a status.
    sessions.retain(|session| session["status"].is_string());
    sessions.sort_by_key(|session| session["createdAt"].as_i64());
    let streams = by_session(cloud.scan(&state, "Streams").await?);
    let watermarks = by_session(cloud.scan(&state, "Processed").await?);
    let now = real_now_ms();
    let rows: Vec<Row> = sessions
        .iter()
        .map(|session| {
            let id = text(&session["sessionId"]);
            let kvs = media(&state, "streams", &session["kvsStreamName"]);
            Row::of(session, streams.get(id), watermarks.get(id), kvs, now)
        })
        .collect();
    if as_json {
        return rows.iter().try_for_each(|row| print(&json!(row).to_string()));
    }
    if rows.is_empty() {
        eprintln!("no session yet: POST {}/sessions creates one", cloud.url());
        return Ok(());
    }
    print(&row::table(&rows))
}

async fn show(cloud: &Cloud, session: &str, as_json: bool) -> Result<(), Error> {
    let state = cloud.json("/_local/state").await?;
    let item = cloud.item(&state, "Sessions", session).await?;
    let item = item.filter(|item| item["status"].is_string()).ok_or_else(|| {
        Error::Client(format!("no session {session:?}: `local-cloud sessions` lists the sessions"))
    })?;
    let detail = Detail {
        stream: cloud.item(&state, "Streams", session).await?,
        watermark: cloud.item(&state, "Processed", session).await?,
        kvs_stream: media(&state, "streams", &item["kvsStreamName"]).cloned(),
        kvs_channel: media(&state, "channels", &item["kvsChannelName"]).cloned(),
        deliveries: cloud.optional_json(&format!("/_local/deliveries/{session}")).await?,
        session: item,
    };
    print(&if as_json { json!(detail).to_string() } else { detail.text(real_now_ms()) })
}

fn by_session(items: Vec<Value>) -> HashMap<String, Value> {
    items.into_iter().map(|item| (text(&item["sessionId"]).to_owned(), item)).collect()
}

/// Returns the stream or channel with this name.
fn media<'a>(state: &'a Value, kind: &str, name: &Value) -> Option<&'a Value> {
    state["kinesisvideo"][kind].as_array()?.iter().find(|it| it["name"] == *name)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_found_by_its_name() {
        let state = json!({"kinesisvideo": {"streams": [{"name": "session-a-b-1", "bytes": 7}]}});
        let found = media(&state, "streams", &json!("session-a-b-1"));
        assert_eq!(found.map(|stream| &stream["bytes"]), Some(&json!(7)));
        assert_eq!(media(&state, "streams", &json!("session-a-b-12")), None);
        assert_eq!(media(&state, "channels", &json!("session-a-b-1")), None);
    }
}
