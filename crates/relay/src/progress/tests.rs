use super::*;

/// CompleteFragment `n`, one second long: samples [(n-1)·16000, n·16000).
fn fragment(n: u64) -> CompleteFragment {
    let resume_point = ResumePoint {
        fragment: n.to_string().parse().unwrap(),
        next: i64::try_from((n - 1) * 16_000).unwrap(),
        fraction: 0,
        lost: 0,
        stamps: Vec::new(),
        origin_ms: Some(1_000_000),
        clock_offset: 0,
        session_ms: Some(1_000_000),
        server_ms: Some(1_000_000),
        server_position: 0,
        mime_hint: None,
    };
    let content = Content::from_text(&format!("1:{n}:00000001:1000000000:0:")).ok();
    CompleteFragment { resume_point, end: n * 16_000, duration_ms: 1_000, content }
}

fn read(progress: &mut Progress, fragment: CompleteFragment) -> bool {
    progress.complete(fragment, None, FragmentCounts::default())
}

fn progress(fragments: u64, accepted: u64) -> Progress {
    let mut progress = Progress::new(Checkpoint::fresh(500), &Config::scaled(1.0));
    for n in 1..=fragments {
        progress.begin(&fragment(n).resume_point);
        read(&mut progress, fragment(n));
    }
    progress.accept(accepted);
    progress
}

/// The progress of a run that resumes from a checkpoint.
fn resumed(checkpoint: &Checkpoint) -> Progress {
    Progress::new(checkpoint.clone(), &Config::scaled(1.0))
}

#[test]
fn resumes_the_warm_up_before_the_last_fragment_that_was_accepted_whole() {
    // 8 fragments read, 6.5 accepted: F(k) = 6, warm-up = 4, 5, 6, so start after 3.
    let checkpoint = progress(8, 6 * 16_000 + 8_000).checkpoint();
    let plan = resumed(&checkpoint).plan(checkpoint.next);
    assert_eq!(plan.after.unwrap().as_str(), "3");
    assert_eq!(plan.resume_point.unwrap().fragment.as_str(), "4");
    assert_eq!(plan.floor, 104_000);
}

#[test]
fn contents_are_those_before_the_first_fragment_that_is_read() {
    let times =
        |plan: &ReadPlan| plan.contents.iter().map(|content| content.time_ms()).collect::<Vec<_>>();
    let checkpoint = progress(8, 6 * 16_000 + 8_000).checkpoint();
    let progress = resumed(&checkpoint);
    assert_eq!(times(&progress.plan(checkpoint.next)), [1, 2, 3]);
    // Reading from the beginning has no preceding fragments.
    assert!(times(&progress.plan(0)).is_empty());
}

#[test]
fn fingerprints_never_cover_fragments_that_are_read_again() {
    for (fragments, accepted) in [(8, 7), (30, 29), (6, 6)] {
        let mut ahead = Progress::new(progress(6, 96_000).checkpoint(), &Config::scaled(1.0));
        for n in 7..=9 {
            read(&mut ahead, fragment(n));
        }
        ahead.adopt(progress(fragments, accepted * 16_000).checkpoint());
        for floor in (0..=accepted * 16_000).step_by(8_000) {
            let plan = ahead.plan(floor);
            let first = plan.resume_point.map(|resume_point| resume_point.fragment).unwrap();
            for content in plan.contents {
                let number: FragmentNumber = content.time_ms().to_string().parse().unwrap();
                assert!(number < first, "{number} is read again from {first} on");
            }
        }
    }
}

#[test]
fn a_session_too_young_for_a_warm_up_starts_at_its_first_fragment() {
    for accepted in [0, 8_000, 16_000, 40_000] {
        let checkpoint = progress(3, accepted).checkpoint();
        let plan = resumed(&checkpoint).plan(accepted);
        assert_eq!(plan.after, None, "{accepted}");
        assert_eq!(plan.resume_point.unwrap().fragment.as_str(), "1", "{accepted}");
    }
}

#[test]
fn a_checkpoint_stays_small_however_long_the_session() {
    let mut progress = progress(0, 0);
    for n in 1..=10_000 {
        progress.begin(&fragment(n).resume_point);
        read(&mut progress, fragment(n));
        progress.accept(n * 16_000);
        assert!(progress.checkpoint().fragments.len() <= 4);
    }
    // About one minute of history; each fragment of these tests holds one packet.
    assert_eq!(progress.checkpoint().contents.len(), 64);
    assert!(progress.checkpoint().to_json().len() < 5_000);
}

#[test]
fn a_checkpoint_stays_small_during_long_silence() {
    let mut progress = progress(8, 8 * 16_000);
    for n in 9..=10_000 {
        let silent = CompleteFragment { end: 8 * 16_000, duration_ms: 0, ..fragment(n) };
        progress.begin(&silent.resume_point);
        read(&mut progress, silent);
    }
    assert!(progress.checkpoint().fragments.len() <= MAX_SETTLED);
    let plan = resumed(&progress.checkpoint()).plan(8 * 16_000);
    assert_eq!(plan.floor, 8 * 16_000);
    assert!(plan.after.unwrap() > "9900".parse().unwrap());
}

#[test]
fn a_successor_that_read_ahead_adopts_what_was_accepted_meanwhile() {
    // It resumed at fragment 4 and read up to 9; the holder reached the end of fragment 7.
    let mut ahead = Progress::new(progress(6, 96_000).checkpoint(), &Config::scaled(1.0));
    for n in 7..=9 {
        read(&mut ahead, fragment(n));
    }
    ahead.adopt(progress(8, 7 * 16_000).checkpoint());
    let plan = resumed(&ahead.checkpoint()).plan(7 * 16_000);
    assert_eq!(plan.after.unwrap().as_str(), "4");
    assert_eq!(ahead.plan(9 * 16_000).after.unwrap().as_str(), "6");
}

/// Reads fragment `n`, in which `repeated` samples are repeats.
fn read_with(progress: &mut Progress, n: u64, repeated: u64) {
    let counts = FragmentCounts { repeated, ..FragmentCounts::default() };
    progress.complete(fragment(n), Some(n), counts);
}

#[test]
fn a_fragment_is_counted_when_it_is_settled_and_only_then() {
    let mut progress = progress(0, 0);
    for n in 1..=3 {
        read_with(&mut progress, n, 10);
    }
    assert_eq!((progress.settled().totals.repeated, progress.oldest_unsettled_ms()), (0, Some(1)));
    progress.accept(2 * 16_000 + 5);
    assert_eq!((progress.settled().totals.repeated, progress.oldest_unsettled_ms()), (20, Some(3)));
    // Read again after a rewind.
    progress.rewind(16_000);
    for n in 2..=3 {
        read_with(&mut progress, n, 10);
    }
    progress.accept(3 * 16_000);
    assert_eq!((progress.settled().totals.repeated, progress.oldest_unsettled_ms()), (30, None));
}

#[test]
fn a_run_that_reads_unsettled_fragments_again_counts_them_once() {
    let mut killed = progress(0, 0);
    for n in 1..=4 {
        read_with(&mut killed, n, 10);
    }
    killed.accept(2 * 16_000);
    let mut next = resumed(&killed.checkpoint());
    for n in 1..=4 {
        read_with(&mut next, n, 10);
    }
    next.accept(4 * 16_000);
    assert_eq!(next.settled().totals.repeated, 40);
}

#[test]
fn a_successor_counts_what_its_predecessor_had_not_settled() {
    let mut ahead = progress(0, 0);
    for n in 1..=4 {
        read_with(&mut ahead, n, 10);
    }
    let mut holder = progress(0, 0);
    for n in 1..=3 {
        read_with(&mut holder, n, 10);
    }
    holder.accept(2 * 16_000);
    ahead.adopt(holder.checkpoint());
    assert_eq!(ahead.settled().totals.repeated, 20);
    ahead.accept(4 * 16_000);
    assert_eq!(ahead.settled().totals.repeated, 40);
}
