//! Faults in virtual time: the consumer's code in the simulator.

mod consumer;
mod endings;
mod events;
mod get_media;
mod processor;
mod producer;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use simulator::World;
use simulator::checker::{CheckReport, check};
use simulator::kvs::Stored;
use simulator::lambda::Lambda;
use testkit::pcm::Random;

use crate::scenario::{LIMIT, Scenario};
use crate::summary::{DECIBELS, RunResult};

/// One fault.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedFault {
    /// Its name in the table.
    pub name: &'static str,
    /// Returns the scenario of one run.
    pub scenario: fn(&mut Random) -> Scenario,
}

/// Returns all simulated faults.
pub fn catalogue() -> Vec<SimulatedFault> {
    [
        consumer::FAULTS,
        endings::FAULTS,
        get_media::FAULTS,
        processor::FAULTS,
        tables::FAULTS,
        events::FAULTS,
        producer::FAULTS,
        producer::resend::FAULTS,
        producer::stamps::FAULTS,
        producer::wrong_metadata::FAULTS,
        producer::lengths::FAULTS,
    ]
    .concat()
}

/// Runs a fault once with a seed.
pub fn run(fault: &SimulatedFault, seed: u64) -> RunResult {
    let mut random = Random::new(seed);
    let mut scenario = (fault.scenario)(&mut random);
    let stream = scenario.stream();
    let baseline = scenario.undisturbed.then(|| undisturbed(&scenario, &stream));
    let (world, lambda) = simulate(&mut scenario, stream, seed);
    let mut expected = scenario.expected();
    if scenario.prefix_only {
        expected = expected.beginning(world.state().processor.accepted.len());
    }
    let report = check(&world, &expected);
    RunResult {
        lost: report.line.lost(),
        accepted_twice: report.accepted_twice,
        offered_twice: report.offered_twice,
        recovery: report.waited,
        decibels: report.line.decibels,
        violation: violation(&scenario, &report, &world, &lambda, baseline.as_deref()),
    }
}

/// Simulates the same stream without consumer faults.
fn undisturbed(scenario: &Scenario, stream: &[Stored]) -> Arc<World> {
    let mut baseline = Scenario { end: scenario.end, ..Scenario::of(0, scenario.fragment_ms) };
    baseline.ended = vec![scenario.end];
    simulate(&mut baseline, stream.to_vec(), 0).0
}

fn simulate(scenario: &mut Scenario, stream: Vec<Stored>, seed: u64) -> (Arc<World>, Lambda) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::of(stream, seed);
        let mut lambda = Lambda::new(&world);
        for prepare in std::mem::take(&mut scenario.prepare) {
            prepare(&mut lambda);
        }
        let actions = scenario.actions();
        lambda.run(actions, LIMIT).await;
        (world, lambda)
    })
}

/// Returns a description of all violations, if there are any.
fn violation(
    scenario: &Scenario,
    report: &CheckReport,
    world: &World,
    lambda: &Lambda,
    baseline: Option<&World>,
) -> Option<String> {
    let state = world.state();
    let mut broken = Vec::new();
    if !report.ended {
        let (runs, last) = (lambda.outcomes.len(), lambda.outcomes.iter().rev().take(6));
        broken.push(format!(
            "the session never ended; {runs} runs, last {:?}",
            last.collect::<Vec<_>>()
        ));
    }
    let line = &report.line;
    if line.lost() > 0 {
        let (missing, surplus, wrong) = (line.missing, line.surplus, line.wrong);
        broken.push(format!("samples: {missing} lost, {surplus} too many, {wrong} changed"));
        broken.extend(line.faults.iter().cloned());
    }
    let refused: u64 = state.snapshots.iter().map(|snapshot| snapshot.totals.refused).sum();
    if refused != scenario.refused {
        broken.push(format!("{refused} samples refused instead of {}", scenario.refused));
    }
    if baseline.is_some_and(|baseline| {
        let baseline = &baseline.state().processor;
        (baseline.next, &baseline.gaps) != (state.processor.next, &state.processor.gaps)
    }) {
        broken.push("the positions are not those of a run without faults".to_owned());
    }
    if report.accepted_twice > 0 {
        broken.push(format!("{} samples accepted twice", report.accepted_twice));
    }
    if line.decibels < DECIBELS {
        broken.push(format!("the SNR of the audio is only {:.1} dB", line.decibels));
    }
    if report.waited > scenario.max_pause {
        broken.push(format!(
            "audio waited {:?}, longer than {:?}",
            report.waited, scenario.max_pause
        ));
    }
    match report.drained {
        None if report.ended => broken.push("the final chunk was never accepted".to_owned()),
        Some(at) if at > scenario.drained_by(&state.kvs.fragments) => {
            broken.push(format!(
                "the final chunk was accepted {:?} after the end",
                at.saturating_sub(scenario.end)
            ));
        }
        _ => {}
    }
    if !state.letters.is_empty() {
        broken.push(format!("{} chunks were dead-lettered", state.letters.len()));
    }
    (!broken.is_empty()).then(|| broken.join("; "))
}

/// Short form for the catalogues.
const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
