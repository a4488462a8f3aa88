//! The progress of a long step, on stderr: one line with a bar that is rewritten on a terminal, a
//! plain line every few seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::Instant;

/// How often the bar is rewritten, in real time.
const REWRITE_EVERY: Duration = Duration::from_millis(200);
/// How often a plain line is printed, in real time.
const PRINT_EVERY: Duration = Duration::from_secs(5);
/// Cells of the bar.
const CELLS: usize = 24;
/// The longest rewritten line, in characters: a line that wraps cannot be cleared.
const COLUMNS: usize = 79;

/// The state of a step that takes `total_s` seconds of audio.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// The step, for example `speaking`.
    pub(crate) name: &'static str,
    /// Seconds done.
    pub(crate) done_s: f64,
    /// Seconds in total.
    pub(crate) total_s: f64,
    /// More facts; may be empty.
    pub(crate) note: String,
}

/// Prints the progress of a step. The bar is cleared when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    is_terminal: bool,
    printed: Instant,
}

impl Progress {
    /// Starts without output.
    pub(crate) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), printed: Instant::now() }
    }

    /// Shows the state of a step; does nothing if the last output is too recent.
    pub(crate) fn show(&mut self, step: &Step) {
        let every = if self.is_terminal { REWRITE_EVERY } else { PRINT_EVERY };
        if self.printed.elapsed() < every {
            return;
        }
        self.printed = Instant::now();
        // Progress that cannot be printed must not fail the step.
        let mut err = std::io::stderr().lock();
        let _ = match self.is_terminal {
            true => write!(err, "\r\x1b[K{}", bar(step)),
            false => writeln!(err, "{}", line(step)),
        };
        let _ = err.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// Returns the result of `work`. Meanwhile shows what `step` returns.
pub(crate) async fn during<T>(
    work: impl Future<Output = T>,
    mut step: impl AsyncFnMut() -> Step,
) -> T {
    let mut progress = Progress::new();
    let mut tick = tokio::time::interval(REWRITE_EVERY);
    tokio::pin!(work);
    loop {
        let next = async {
            tick.tick().await;
            step().await
        };
        tokio::select! {
            done = &mut work => return done,
            step = next => progress.show(&step),
        }
    }
}

/// `speaking 12 of 36 s, delivered 10.0 s`.
fn line(step: &Step) -> String {
    let Step { name, done_s, total_s, note } = step;
    let comma = if note.is_empty() { "" } else { ", " };
    format!("{name} {:.0} of {:.0} s{comma}{note}", done_s.floor(), total_s.floor())
}

/// `speaking [####----] 12 of 36 s, delivered 10.0 s`.
fn bar(step: &Step) -> String {
    let part = if step.total_s > 0.0 { (step.done_s / step.total_s).clamp(0.0, 1.0) } else { 0.0 };
    let full = (part * CELLS as f64) as usize;
    let line = line(step);
    let facts = line.strip_prefix(step.name).unwrap_or(&line);
    let text = format!("{} [{}{}]{facts}", step.name, "#".repeat(full), "-".repeat(CELLS - full));
    text.chars().take(COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(done_s: f64, note: &str) -> Step {
        Step { name: "speaking", done_s, total_s: 36.6, note: note.to_owned() }
    }

    #[test]
    fn a_plain_line_says_how_far_it_is() {
        assert_eq!(line(&step(12.2, "")), "speaking 12 of 36 s");
        assert_eq!(line(&step(0.0, "delivered 1.0 s")), "speaking 0 of 36 s, delivered 1.0 s");
    }

    #[test]
    fn the_bar_is_as_full_as_the_step_and_fits_a_line() {
        assert_eq!(bar(&step(18.3, "")), "speaking [############------------] 18 of 36 s");
        assert!(bar(&step(99.0, "")).contains(&format!("[{}]", "#".repeat(CELLS))));
        assert!(bar(&Step { total_s: 0.0, ..step(1.0, "") }).contains(&"-".repeat(CELLS)));
        assert_eq!(bar(&step(1.0, &"x".repeat(200))).chars().count(), COLUMNS);
    }

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_while_a_step_is_read() {
        let mut asked = 0;
        let work = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            7
        };
        let done = during(work, async || {
            asked += 1;
            tokio::time::sleep(Duration::from_secs(60)).await;
            step(0.0, "")
        });
        assert_eq!(done.await, 7);
        assert_eq!(asked, 1);
    }
}
