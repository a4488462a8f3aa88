//! Compares a drained session with the audio that was sent.

use std::time::Duration;

use e2e::{Packets, SessionRun};
use testkit::line::{ExpectedLine, Pause};

use super::{Plan, SCALE};
use crate::summary::{DECIBELS, RunResult};

/// Maximum start time of a producer process, in AWS's time. A break is measured by the blocks'
/// clock, and the start of the process adds to it.
const START: Duration = Duration::from_secs(60);

/// Real time that starting a process may add to a recovery.
const PROCESS_START: Duration = Duration::from_secs(2);

/// Checks a run during which programs of this machine waited `stalled` for a processor. That time
/// is not counted as part of a recovery.
pub(super) fn check(
    plan: &Plan,
    run: &SessionRun,
    packets: &Packets,
    stalled: Duration,
) -> RunResult {
    let number = |name: &str| run.figures[name].as_u64().unwrap_or_default();
    let recovery = run.figures["longestPauseMs"].as_f64().unwrap_or_default();
    let recovery = Duration::from_secs_f64(recovery / 1000.0 * f64::from(SCALE));
    let mut line = expected(plan, packets);
    if plan.prefix_only {
        line = line.beginning(run.wav.len());
    }
    // The positions of hand-offs are unknown; a single consumer decodes exactly as libopus.
    let seams: &[usize] = if run.consumers() > 1 { &[0] } else { &[] };
    let line = line.compare(&run.wav, seams);
    let twice = number("samplesDuplicated");
    let mut broken = Vec::new();
    let mut require = |condition: bool, violation: String| {
        if !condition {
            broken.push(violation);
        }
    };
    let faults = line.faults.join("; ");
    require(line.lost() == 0, format!("{} samples lost: {faults}", line.lost()));
    require(twice == 0, format!("{twice} samples accepted twice"));
    require(
        number("nextSample") == run.wav.len() as u64,
        format!("position {} behind {} samples", number("nextSample"), run.wav.len()),
    );
    require(
        line.decibels >= DECIBELS,
        format!("the SNR of the audio is only {:.1} dB", line.decibels),
    );
    require(
        recovery <= plan.max_pause + stalled.max(PROCESS_START) * SCALE,
        format!(
            "nothing was accepted for {recovery:?}, longer than {:?}, and programs waited for a \
             processor for {stalled:?}",
            plan.max_pause
        ),
    );
    require(
        run.consumers() >= plan.consumers,
        format!("only {} consumers: the fault did not occur", run.consumers()),
    );
    RunResult {
        lost: line.lost(),
        accepted_twice: twice,
        offered_twice: number("offeredTwice"),
        recovery,
        decibels: line.decibels,
        violation: (!broken.is_empty()).then(|| broken.join("; ")),
    }
}

/// Returns the expected audio: the recording, repeated after each break.
fn expected(plan: &Plan, packets: &Packets) -> ExpectedLine {
    let once = packets.packets.len();
    let samples = |time: Duration| usize::try_from(time.as_millis()).unwrap() * 16;
    let pauses = plan.breaks.iter().zip(1..).map(|(pause, nth)| {
        let pause = *pause * SCALE;
        Pause { after: nth * once, samples: samples(pause)..=samples(pause + START) }
    });
    let said = packets.repeated(1 + plan.breaks.len());
    ExpectedLine::with_pauses(&said.packets, said.pre_skip, &pauses.collect::<Vec<_>>())
}
