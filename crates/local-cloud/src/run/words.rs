//! The recognised words at the end of a run.

use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::open_session::POLL_EVERY;
use super::print::seconds;
use crate::error::Error;
use crate::progress::{Progress, Step};
use local_aws::clock::rfc3339;
use local_aws::delivery_stats::DeliveryStats;
use local_aws::recogniser::{State, Words};

/// Maximum wait for the recogniser after the last delivery, in real time. It falls behind the
/// delivery in runs that are faster than real time.
const WORDS_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the words of a session. If its final chunk was accepted, waits until all audio is
/// recognised, at most for [`WORDS_TIMEOUT`].
pub(super) async fn recognised(client: &Client, stats: &DeliveryStats) -> Result<Words, Error> {
    let timeout = stats.final_accepted_us.map_or(Duration::ZERO, |_| WORDS_TIMEOUT);
    let (started, mut progress) = (Instant::now(), Progress::new());
    loop {
        let words = client.words(&stats.session_id).await?;
        let is_pending = matches!(words.state, State::Waiting | State::Running);
        if !is_pending || started.elapsed() >= timeout {
            return Ok(words);
        }
        let done_s = words.lines.last().map_or(0.0, |line| line.end_ms as f64 / 1000.0);
        let (total_s, note) = (seconds(stats.samples_delivered), String::new());
        progress.show(&Step { name: "recognising", done_s, total_s, note });
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Returns the words as lines of the report: each with the time at which it was spoken and its
/// offset in the session.
pub(super) fn lines(words: &Words) -> Vec<String> {
    let heading = match (words.lines.is_empty(), note(words)) {
        (true, None) => "none were recognised".to_owned(),
        (true, Some(note)) => format!("none: {note}"),
        (false, None) => "spoken at (UTC), offset in the session".to_owned(),
        (false, Some(note)) => {
            format!("spoken at (UTC), offset in the session; incomplete: {note}")
        }
    };
    let lines = words.lines.iter().map(|line| {
        let at = rfc3339(line.spoken_at);
        let time = at.get(11..23).unwrap_or_default();
        format!("  {time} {:>7.1} s  {}", line.start_ms as f64 / 1000.0, line.text)
    });
    [format!("words       {heading}")].into_iter().chain(lines).collect()
}

/// Returns why words are missing; `None` if all audio was recognised.
fn note(words: &Words) -> Option<String> {
    let reason = words.reason.as_deref().unwrap_or("for an unknown reason");
    match words.state {
        State::Absent => Some("the cloud has no recogniser (--recogniser COMMAND)".to_owned()),
        State::Failed => Some(format!("the recogniser failed: {reason}")),
        State::Waiting => Some("no audio was accepted".to_owned()),
        State::Running => Some("the recogniser had not ended".to_owned()),
        State::Ended if words.missed_ms > 0 => Some(format!(
            "{:.1} s of the audio were not recognised",
            words.missed_ms as f64 / 1000.0
        )),
        State::Ended => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use local_aws::recogniser::Line;

    fn words(state: State, text: &str) -> Words {
        let line = Line {
            number: 0,
            start_ms: 2_440,
            end_ms: 5_000,
            spoken_at: 1_732_540_620_007,
            text: text.to_owned(),
            is_final: true,
        };
        let lines = if text.is_empty() { Vec::new() } else { vec![line] };
        Words { state, reason: Some("no model".to_owned()), missed_ms: 0, lines }
    }

    #[test]
    fn words_stand_beside_the_time_they_were_spoken_at() {
        let printed = lines(&words(State::Ended, "Good morning."));
        let expected = [
            "words       spoken at (UTC), offset in the session",
            "  13:17:00.007     2.4 s  Good morning.",
        ];
        assert_eq!(printed, expected);
        assert_eq!(lines(&words(State::Ended, "")), ["words       none were recognised"]);
    }

    #[test]
    fn missing_words_have_a_reason() {
        for (state, reason) in [
            (State::Absent, "none: the cloud has no recogniser (--recogniser COMMAND)"),
            (State::Failed, "none: the recogniser failed: no model"),
            (State::Waiting, "none: no audio was accepted"),
            (State::Running, "none: the recogniser had not ended"),
        ] {
            assert_eq!(lines(&words(state, "")), [format!("words       {reason}")]);
        }
        let missed = Words { missed_ms: 1_500, ..words(State::Ended, "Good morning.") };
        let heading = &lines(&missed)[0];
        assert!(
            heading.ends_with("incomplete: 1.5 s of the audio were not recognised"),
            "{heading}"
        );
    }
}
