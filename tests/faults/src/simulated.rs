//! Faults in a world of virtual time: the consumer's own code, everything around it played.

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
use simulator::judge::{Verdict, judge};
use simulator::kvs::Stored;
use simulator::lambda::Lambda;
use testkit::pcm::Random;

use crate::scene::{LIMIT, Scene};
use crate::summary::{DECIBELS, Sum};

/// One kind of trouble.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What goes wrong.
    pub name: &'static str,
    /// Makes the scene and plans the trouble in it.
    pub scene: fn(&mut Random) -> Scene,
}

/// All of them.
pub fn catalogue() -> Vec<Fault> {
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
        producer::lies::FAULTS,
        producer::lengths::FAULTS,
    ]
    .concat()
}

/// Runs a fault once.
pub fn run(fault: &Fault, seed: u64) -> Sum {
    let mut random = Random::new(seed);
    let mut scene = (fault.scene)(&mut random);
    let stream = scene.stream();
    let calm = scene.undisturbed.then(|| undisturbed(&scene, &stream));
    let (world, lambda) = play(&mut scene, stream, seed);
    let mut expected = scene.expected();
    if scene.beginning_only {
        expected = expected.beginning(world.state().processor.accepted.len());
    }
    let verdict = judge(&world, &expected);
    Sum {
        lost: verdict.line.lost(),
        accepted_twice: verdict.accepted_twice,
        offered_twice: verdict.offered_twice,
        recovery: verdict.waited,
        decibels: verdict.line.decibels,
        complaint: complaint(&scene, &verdict, &world, &lambda, calm.as_deref()),
    }
}

/// The same stream without faults.
fn undisturbed(scene: &Scene, stream: &[Stored]) -> Arc<World> {
    let mut calm = Scene { end: scene.end, ..Scene::of(0, scene.fragment_ms) };
    calm.ended = vec![scene.end];
    play(&mut calm, stream.to_vec(), 0).0
}

fn play(scene: &mut Scene, stream: Vec<Stored>, seed: u64) -> (Arc<World>, Lambda) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::of(stream, seed);
        let mut lambda = Lambda::new(&world);
        for prepare in std::mem::take(&mut scene.prepare) {
            prepare(&mut lambda);
        }
        let story = scene.story();
        lambda.live(story, LIMIT).await;
        (world, lambda)
    })
}

/// What of the promise was broken, if anything.
fn complaint(
    scene: &Scene,
    verdict: &Verdict,
    world: &World,
    lambda: &Lambda,
    calm: Option<&World>,
) -> Option<String> {
    let state = world.state();
    let mut broken = Vec::new();
    if !verdict.ended {
        let (runs, last) = (lambda.outcomes.len(), lambda.outcomes.iter().rev().take(6));
        broken.push(format!("it never ended; {runs} runs, last {:?}", last.collect::<Vec<_>>()));
    }
    let line = &verdict.line;
    if line.lost() > 0 {
        let (missing, surplus, wrong) = (line.missing, line.surplus, line.wrong);
        broken.push(format!("samples: {missing} lost, {surplus} too many, {wrong} changed"));
        broken.extend(line.faults.iter().cloned());
    }
    let refused: u64 = state.snapshots.iter().map(|snapshot| snapshot.totals.refused).sum();
    if refused != scene.refused {
        broken.push(format!("{refused} samples refused instead of {}", scene.refused));
    }
    if calm.is_some_and(|calm| {
        let calm = &calm.state().processor;
        (calm.next, &calm.gaps) != (state.processor.next, &state.processor.gaps)
    }) {
        broken.push("the positions are not those of a run without faults".to_owned());
    }
    if verdict.accepted_twice > 0 {
        broken.push(format!("{} samples accepted twice", verdict.accepted_twice));
    }
    if line.decibels < DECIBELS {
        broken.push(format!("the audio is {:.1} dB from what was spoken", line.decibels));
    }
    if verdict.waited > scene.patience {
        broken.push(format!("audio waited {:?}, longer than {:?}", verdict.waited, scene.patience));
    }
    match verdict.drained {
        None if verdict.ended => broken.push("the final chunk was never accepted".to_owned()),
        Some(at) if at > scene.drained_by(&state.kvs.fragments) => {
            broken.push(format!(
                "the final chunk came only {:?} after the end",
                at.saturating_sub(scene.end)
            ));
        }
        _ => {}
    }
    if !state.letters.is_empty() {
        broken.push(format!("{} chunks were dead-lettered", state.letters.len()));
    }
    (!broken.is_empty()).then(|| broken.join("; "))
}

/// Seconds, for the catalogues.
const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
