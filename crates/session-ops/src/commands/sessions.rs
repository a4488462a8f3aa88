//! `sessions`: the records of the sessions.

use serde_json::{Value, json};
use session::SessionId;

use super::Context;
use crate::aws::Items;
use crate::commands::streams::{counted, delivery, position};
use crate::error::Error;
use crate::output::{Row, Table, facts, seconds, text, time};

const HEAD: [&str; 6] = ["SESSION", "STATUS", "LANGUAGE", "CREATED", "CHANGED", "SPEAKER"];

/// Prints all sessions, or those in a status, page by page.
pub(super) async fn list(context: &Context, status: Option<String>) -> Result<(), Error> {
    let mut items = Items::of(&context.aws, context.env.sessions()).in_status(status);
    let mut table = Table::new(HEAD, context.json);
    while let Some(page) = items.next_page().await? {
        let is_session = |item: &Value| item["status"].is_string();
        let rows: Vec<_> = page.into_iter().filter(is_session).map(row).collect();
        table.page(&rows)?;
    }
    Ok(())
}

fn row(item: Value) -> Row<6> {
    let at = |name: &str| time(&item, name).unwrap_or_else(|| "-".to_owned());
    let cells = [
        text(&item, "sessionId"),
        text(&item, "status"),
        text(&item, "sourceLanguage"),
        at("createdAt"),
        at("updatedAt"),
        text(&item, "speakerId"),
    ];
    (cells, item)
}

/// Prints what the tables say about a session.
pub(super) async fn show(context: &Context, id: &SessionId) -> Result<(), Error> {
    let (aws, env) = (&context.aws, &context.env);
    let session = context.session(id).await?;
    let stream = aws.item(&env.streams(), id).await?;
    // A processor of one's own may not have this table.
    let watermark = aws.item(&env.processed(), id).await.unwrap_or_default();
    let known = |name: &str| Some(text(&session, name)).filter(|text| text != "-");
    let status = known("status").map(|status| match known("endedReason") {
        Some(reason) => format!("{status} ({reason})"),
        None => status,
    });
    let pending = time(&session["pendingEvent"], "since");
    let position = position(stream.as_ref(), watermark.as_ref());
    let shown = vec![
        ("session", known("sessionId")),
        ("status", status),
        ("speaker", known("speakerId")),
        ("language", known("sourceLanguage")),
        ("created", time(&session, "createdAt")),
        ("changed", time(&session, "updatedAt")),
        ("channel", known("kvsChannelArn")),
        ("stream", known("kvsStreamArn")),
        ("event", pending.map(|since| format!("pending since {since}"))),
        ("delivery", Some(delivery(stream.as_ref()).to_owned())),
        ("position", Some(seconds(position))),
        ("counted", stream.as_ref().and_then(counted)),
    ];
    let object = json!({"session": session, "stream": stream, "watermark": watermark});
    facts(shown, &object, context.json)
}
