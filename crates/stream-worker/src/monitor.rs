//! Measures the load of the worker each second, and reports it each minute.

use std::sync::Arc;
use std::time::Duration;

use kvs_stream_consumer::Consumer;
use lambda_support::TimeScale;
use session::metrics;
use tokio::time::{Instant, sleep};

use crate::capacity::Capacity;
use crate::load::{Meter, Size};

/// Time between two measurements, in real time at any time scale.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Measures the load of this process.
pub(crate) async fn watch(capacity: Capacity, size: Size) {
    let mut meter = Meter::new(size);
    loop {
        capacity.set_load(meter.measure(Instant::now()));
        sleep(MEASURE_EVERY).await;
    }
}

/// Writes the metrics of this worker.
pub(crate) async fn report(capacity: Capacity, consumer: Arc<Consumer>, scale: TimeScale) {
    loop {
        sleep(scale.wall(REPORT_EVERY)).await;
        let (load, percent) = (capacity.load(), |share: f64| share * 100.0);
        let mut values = vec![
            (metrics::WORKER_SESSIONS, capacity.sessions() as f64),
            (metrics::WORKER_FULL, if capacity.free() == 0 { 1.0 } else { 0.0 }),
        ];
        values.extend(load.cpu.map(|cpu| (metrics::WORKER_CPU_PERCENT, percent(cpu))));
        values.extend(load.memory.map(|share| (metrics::WORKER_MEMORY_PERCENT, percent(share))));
        consumer.record(&values);
    }
}
