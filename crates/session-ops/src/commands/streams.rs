//! `streams`: lease, desired state and progress of each session's delivery.

use std::time::Duration;

use serde_json::{Value, json};
use session::SessionId;

use super::Context;
use crate::aws::Items;
use crate::error::Error;
use crate::output::{Row, Table, clear_screen, facts, note, seconds, text, time};
use crate::times::{age, now_ms};

const HEAD: [&str; 6] = ["SESSION", "DESIRED", "DELIVERY", "EPOCH", "POSITION", "LAST ACTIVITY"];

/// Returns the state of a delivery: `not started`; `running` (a run holds the lease); `breaker
/// open` (it does, and the processor has failed); `lease expired` (a run held it and did not renew
/// it); `lease free` (no run holds it); `ended`.
pub(super) fn delivery(stream: Option<&Value>) -> &'static str {
    let Some(stream) = stream else { return "not started" };
    let held = text(stream, "owner") != "-";
    let valid = stream["leaseExpiresAt"].as_i64().is_some_and(|expiry| expiry > now_ms());
    match (stream["status"] == "ENDED", held, stream["epoch"].as_u64()) {
        (true, ..) => "ended",
        (_, true, _) if valid && is_breaker_open(stream) => "breaker open",
        (_, true, _) if valid => "running",
        (_, true, _) => "lease expired",
        (_, _, None | Some(0)) => "not started",
        _ => "lease free",
    }
}

/// Returns the position up to which samples are accepted, or rejected and sent to the dead-letter
/// queue: that of the reference processor's watermark, or of the checkpoint.
pub(super) fn position(stream: Option<&Value>, watermark: Option<&Value>) -> u64 {
    let stored = watermark.and_then(|item| item["nextSample"].as_u64()).unwrap_or_default();
    stored.max(stream.map(checkpoint).unwrap_or_default()["acknowledged"].as_u64().unwrap_or(0))
}

/// Returns what the checkpoint has counted, for example chunks that were rejected: their samples
/// are below the position, and were not accepted.
pub(super) fn counted(stream: &Value) -> Option<String> {
    let checkpoint = checkpoint(stream);
    let totals = checkpoint["totals"].as_object()?.iter();
    let totals = totals.filter(|(_, count)| count.as_u64() != Some(0));
    let totals: Vec<_> = totals.map(|(name, count)| format!("{name} {count}")).collect();
    Some(totals.join(", ")).filter(|counted| !counted.is_empty())
}

fn is_breaker_open(stream: &Value) -> bool {
    checkpoint(stream)["breaker"]["openUntil"].as_i64().is_some_and(|until| until > now_ms())
}

fn checkpoint(stream: &Value) -> Value {
    let text = stream["checkpoint"].as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

fn row(item: Value) -> Row<6> {
    let cells = [
        text(&item, "sessionId"),
        text(&item, "desired"),
        delivery(Some(&item)).to_owned(),
        item["epoch"].as_u64().unwrap_or(0).to_string(),
        seconds(position(Some(&item), None)),
        item["lastActivityAt"].as_i64().map_or("-".to_owned(), |at| format!("{} ago", age(at))),
    ];
    (cells, item)
}

/// Prints all items, page by page.
pub(super) async fn list(context: &Context) -> Result<(), Error> {
    let mut items = Items::of(&context.aws, context.env.streams());
    let mut table = Table::new(HEAD, context.json);
    while let Some(page) = items.next_page().await? {
        let rows: Vec<_> = page.into_iter().map(row).collect();
        table.page(&rows)?;
    }
    Ok(())
}

/// Prints one item.
pub(super) async fn show(context: &Context, id: &SessionId) -> Result<(), Error> {
    let item = context.aws.item(&context.env.streams(), id).await?;
    let item = match item {
        Some(item) => item,
        // No run has taken the lease yet.
        None => {
            context.session(id).await?;
            note(&format!(
                "no run of {id} has taken its lease: `session-ops sessions show {id}` (an event that \
                 is pending), `session-ops trace {id}` (a run that failed), `session-ops logs {id}` \
                 and `session-ops redrive --dry-run` may say why"
            ));
            json!({ "sessionId": id })
        }
    };
    let checkpoint = checkpoint(&item);
    let known = |name: &str| Some(text(&item, name)).filter(|text| text != "-");
    let shown = vec![
        ("session", Some(id.to_string())),
        ("desired", known("desired")),
        ("delivery", Some(delivery(Some(&item)).to_owned())),
        ("epoch", item["epoch"].as_u64().map(|epoch| epoch.to_string())),
        ("owner", known("owner")),
        ("lease until", time(&item, "leaseExpiresAt")),
        ("successor", known("successor")),
        ("last activity", time(&item, "lastActivityAt")),
        ("position", Some(seconds(position(Some(&item), None)))),
        (
            "breaker open until",
            time(&checkpoint["breaker"], "openUntil").filter(|_| is_breaker_open(&item)),
        ),
        ("counted", counted(&item)),
        ("stream", known("streamArn")),
    ];
    facts(shown, &item, context.json)
}

/// Prints the deliveries that have not ended, once or again and again.
pub(super) async fn top(
    context: &Context,
    limit: usize,
    watch: Option<Duration>,
) -> Result<(), Error> {
    loop {
        let (rows, count) = longest_silent(context, limit).await?;
        if watch.is_some() && !context.json {
            clear_screen()?;
        }
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        Table::new(HEAD, context.json).page(&rows)?;
        if count > rows.len() && !context.json {
            note(&format!("{} of {count} deliveries; --limit shows more", rows.len()));
        }
        let Some(interval) = watch else { return Ok(()) };
        tokio::time::sleep(interval).await;
    }
}

/// Returns the items without activity for the longest time, and how many deliveries there are.
/// Holds one page and `limit` items.
async fn longest_silent(context: &Context, limit: usize) -> Result<(Vec<Value>, usize), Error> {
    let mut items = Items::of(&context.aws, context.env.streams());
    let (mut found, mut count): (Vec<Value>, _) = (Vec::new(), 0);
    while let Some(page) = items.next_page().await? {
        let live = page.into_iter().filter(|item| item["status"] != "ENDED");
        let before = found.len();
        found.extend(live);
        count += found.len() - before;
        found.sort_by_key(|item| item["lastActivityAt"].as_i64().unwrap_or(0));
        found.truncate(limit);
    }
    Ok((found, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_delivery_is_that_of_its_lease() {
        let (past, future) = (now_ms() - 1, now_ms() + 60_000);
        for (item, state) in [
            (json!({"epoch": 0}), "not started"),
            (json!({"epoch": 1, "owner": "me", "leaseExpiresAt": future}), "running"),
            (
                json!({"epoch": 1, "owner": "me", "leaseExpiresAt": future,
                       "checkpoint": format!("{{\"breaker\":{{\"openUntil\":{future}}}}}")}),
                "breaker open",
            ),
            (json!({"epoch": 1, "owner": "me", "leaseExpiresAt": past}), "lease expired"),
            (json!({"epoch": 1, "owner": "", "leaseExpiresAt": future}), "lease free"),
            (json!({"epoch": 1, "status": "ENDED"}), "ended"),
        ] {
            assert_eq!(delivery(Some(&item)), state, "{item}");
        }
        assert_eq!(delivery(None), "not started");
    }

    #[test]
    fn the_newer_position_counts() {
        let stream = json!({"checkpoint": "{\"acknowledged\": 9}"});
        assert_eq!(position(Some(&stream), None), 9);
        assert_eq!(position(Some(&stream), Some(&json!({"nextSample": 10}))), 10);
        assert_eq!(position(Some(&json!({"checkpoint": "?"})), None), 0);
    }
}
