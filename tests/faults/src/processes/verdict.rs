//! What a session that was drained came to, held against what was spoken.

use std::time::Duration;

use flow::Journey;

use super::{Plan, SCALE};
use crate::summary::Sum;

/// Pre-skip of the recording, in samples: a producer that starts anew sends that much more.
const PRE_SKIP: usize = 104;
/// What a speaker needs to start, in AWS's time: the recording's clock is that of its blocks, not of its process.
const START: Duration = Duration::from_secs(60);

pub(super) fn sum(plan: &Plan, journey: &Journey) -> Sum {
    let number = |name: &str| journey.figures[name].as_u64().unwrap_or_default();
    let (delivered, filled) = (number("samplesDelivered"), number("filledSamples"));
    let recovery = journey.figures["longestPauseMs"].as_f64().unwrap_or_default();
    let recovery = Duration::from_secs_f64(recovery / 1000.0 * f64::from(SCALE));
    let spoken = spoken(plan, journey);
    let lost = match plan.beginning_only {
        true => delivered.saturating_sub(spoken),
        false => (delivered - filled).abs_diff(spoken),
    };
    let never_sent = number("nextSample") - spoken.min(number("nextSample"));
    let decibels = decibels(plan, journey);
    let twice = number("samplesDuplicated");
    let mut broken = Vec::new();
    let mut hold = |promise: bool, complaint: String| {
        if !promise {
            broken.push(complaint);
        }
    };
    hold(lost == 0, format!("{lost} samples lost"));
    hold(twice == 0, format!("{twice} samples accepted twice"));
    hold(
        pauses(plan).contains(&Duration::from_millis(never_sent / 16)),
        format!("{never_sent} samples of silence"),
    );
    hold(decibels >= 40.0, format!("the audio is {decibels:.1} dB from what was spoken"));
    hold(
        recovery <= plan.patience,
        format!("nothing was accepted for {recovery:?}, longer than {:?}", plan.patience),
    );
    hold(
        journey.consumers() >= plan.consumers,
        format!("only {} consumers: the fault did not strike", journey.consumers()),
    );
    Sum {
        lost,
        accepted_twice: twice,
        offered_twice: number("offeredTwice"),
        recovery,
        decibels,
        complaint: (!broken.is_empty()).then(|| broken.join("; ")),
    }
}

/// Samples that the producer sent.
fn spoken(plan: &Plan, journey: &Journey) -> u64 {
    let once = journey.spoken.len();
    (once + plan.breaks.len() * (once + PRE_SKIP)) as u64
}

/// How long the silence between what was spoken may be, in AWS's time.
fn pauses(plan: &Plan) -> std::ops::RangeInclusive<Duration> {
    let breaks: Duration = plan.breaks.iter().sum::<Duration>() * SCALE;
    let starts = START * u32::try_from(plan.breaks.len()).unwrap_or(u32::MAX);
    breaks..=breaks + starts
}

/// How close the first part is to what was spoken, and the last, which stands at the end.
fn decibels(plan: &Plan, journey: &Journey) -> f64 {
    let (spoken, wav) = (&journey.spoken, &journey.wav);
    let first = wav.len().min(spoken.len());
    if first < spoken.len() && !plan.beginning_only || plan.breaks.is_empty() && wav.len() > first {
        return f64::NEG_INFINITY;
    }
    let close = |part: &[i16]| testkit::snr::decibels(&spoken[..part.len()], part);
    close(&wav[..first]).min(close(&wav[wav.len() - first..]))
}
