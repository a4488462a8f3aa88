//! Criterion benchmark of the media core: GetMedia bytes to PCM, compared with bare libopus on the
//! same packets. `cargo bench -p media --bench decode`; the bench `summary` prints the ratios.
#![allow(clippy::unwrap_used, missing_docs)]

mod work;

use std::time::Duration;

use criterion::{Criterion, Throughput};
use work::{bare, sets, stream};

const SECONDS: usize = 20;

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for set in sets(SECONDS) {
        let mut group = criterion.benchmark_group(set.name);
        group.throughput(Throughput::Elements(set.packets.len() as u64));
        group.measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
        group.bench_function("libopus", |bencher| bencher.iter(|| bare(&set.packets)));
        group.bench_function("stream", |bencher| bencher.iter(|| stream(&set.body)));
        group.finish();
    }
    criterion.final_summary();
}
