//! `local-cloud events`: the latest events of the bus.

use serde_json::Value;

use super::cloud::Cloud;
use super::{POLL_EVERY, clock_time, print, until_closed};
use crate::error::Error;

/// Arguments of `local-cloud events`.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    /// Also print new events, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// Print one JSON object per event: its number, the time of its receipt, the rules that it
    /// triggered, and the event itself.
    #[arg(long)]
    json: bool,
}

/// Prints the events of the cloud at `url`, oldest first.
///
/// # Errors
/// The cloud cannot be reached.
pub async fn events(args: &EventsArgs, url: &str) -> Result<(), Error> {
    until_closed(print_all(args, &Cloud::at(url).await?).await)
}

async fn print_all(args: &EventsArgs, cloud: &Cloud) -> Result<(), Error> {
    let mut last = 0;
    loop {
        let answer = cloud.json(&format!("/_local/events?after={last}")).await?;
        for entry in answer["events"].as_array().into_iter().flatten() {
            print(&if args.json { entry.to_string() } else { line(entry) })?;
        }
        last = answer["last"].as_u64().unwrap_or_default();
        if !args.follow {
            if last == 0 {
                eprintln!(
                    "no event yet: POST {}/sessions creates a session and its event",
                    cloud.url()
                );
            }
            return Ok(());
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Returns one event as text: time, detail-type, source, session, status and rules.
fn line(entry: &Value) -> String {
    let event = &entry["event"];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rules = entry["rules"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let rules = rules.collect::<Vec<_>>().join(", ");
    format!(
        "{}  {:21}  {:18}  {:24}  {:6}  {}",
        clock_time(entry["receivedAt"].as_str().unwrap_or("-")),
        text(&event["detail-type"]),
        text(&event["source"]),
        text(&event["detail"]["sessionId"]),
        text(&event["detail"]["status"]),
        if rules.is_empty() { "no rule".to_owned() } else { rules },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_names_session_status_and_rules() {
        let entry = json!({
            "number": 1, "receivedAt": "2026-11-29T01:56:22.055Z", "rules": ["session-lifecycle-dev"],
            "event": {
                "detail-type": "Session Status Change", "source": "session-management",
                "detail": {"sessionId": "a-b-1", "status": "ACTIVE"},
            },
        });
        let expected = "01:56:22.055  Session Status Change  session-management  \
                        a-b-1                     ACTIVE  session-lifecycle-dev";
        assert_eq!(line(&entry), expected);
    }

    #[test]
    fn an_event_without_a_session_has_dashes() {
        let entry = json!({
            "receivedAt": "2026-11-29T01:56:22.055Z", "rules": [],
            "event": {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}},
        });
        let words = line(&entry);
        let words: Vec<_> = words.split_whitespace().skip(1).collect();
        assert_eq!(words, ["Scheduled", "Event", "aws.events", "-", "-", "no", "rule"]);
    }
}
