//! What a session that was drained came to, held against what was spoken.

use std::time::Duration;

use e2e::{Journey, Packets};
use testkit::line::{ExpectedLine, Pause};

use super::{Plan, SCALE};
use crate::summary::{DECIBELS, Sum};

/// What a speaker needs to start, in AWS's time: the recording's clock is that of its blocks, not
/// of its process.
const START: Duration = Duration::from_secs(60);

pub(super) fn sum(plan: &Plan, journey: &Journey, packets: &Packets) -> Sum {
    let number = |name: &str| journey.figures[name].as_u64().unwrap_or_default();
    let recovery = journey.figures["longestPauseMs"].as_f64().unwrap_or_default();
    let recovery = Duration::from_secs_f64(recovery / 1000.0 * f64::from(SCALE));
    let mut line = expected(plan, packets);
    if plan.beginning_only {
        line = line.beginning(journey.wav.len());
    }
    // Where consumers took over is not known; a single one decodes as libopus does.
    let seams: &[usize] = if journey.consumers() > 1 { &[0] } else { &[] };
    let line = line.compare(&journey.wav, seams);
    let twice = number("samplesDuplicated");
    let mut broken = Vec::new();
    let mut hold = |promise: bool, complaint: String| {
        if !promise {
            broken.push(complaint);
        }
    };
    let faults = line.faults.join("; ");
    hold(line.lost() == 0, format!("{} samples lost: {faults}", line.lost()));
    hold(twice == 0, format!("{twice} samples accepted twice"));
    hold(
        number("nextSample") == journey.wav.len() as u64,
        format!("position {} behind {} samples", number("nextSample"), journey.wav.len()),
    );
    hold(
        line.decibels >= DECIBELS,
        format!("the audio is {:.1} dB from what was spoken", line.decibels),
    );
    hold(
        recovery <= plan.patience,
        format!("nothing was accepted for {recovery:?}, longer than {:?}", plan.patience),
    );
    hold(
        journey.consumers() >= plan.consumers,
        format!("only {} consumers: the fault did not strike", journey.consumers()),
    );
    Sum {
        lost: line.lost(),
        accepted_twice: twice,
        offered_twice: number("offeredTwice"),
        recovery,
        decibels: line.decibels,
        complaint: (!broken.is_empty()).then(|| broken.join("; ")),
    }
}

/// What the producer said: the recording, and after each break all of it again.
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
