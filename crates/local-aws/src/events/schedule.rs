//! Schedules: `rate(5 minutes)` on the cloud's clock, the first time one period after the start.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::entry;
use super::rate::period;
use super::service::Events;

impl Events {
    /// Starts the schedules; they end when `stop` is cancelled.
    pub fn start(self: &Arc<Self>, stop: CancellationToken) {
        let all = self.targets.stop.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            all.cancel();
        });
        for state in self.rules() {
            let Some(Ok(period)) = state.rule.schedule.as_deref().map(period) else { continue };
            tokio::spawn(run(Arc::clone(self), state.rule.name.clone(), period));
        }
    }
}

/// Triggers a rule once a period until the services stop. A deployment may change the rule, but
/// not its schedule.
async fn run(events: Arc<Events>, rule: String, period: Duration) {
    let period_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX / 2);
    let mut next = events.targets.clock.now_ms() + period_ms;
    loop {
        let left = u64::try_from(next - events.targets.clock.now_ms()).unwrap_or(0);
        tokio::select! {
            () = events.targets.clock.sleep(Duration::from_millis(left)) => {}
            () = events.targets.stop.cancelled() => return,
        }
        let Ok(state) = events.rule(&rule) else { return };
        if state.is_enabled() && events.targets.has_room() {
            let event =
                entry::scheduled(&events.account, &state.rule.arn, events.targets.clock.now_ms());
            events.trigger(&[&state], &event, None);
        }
        // Counted from the previous time, not from now, so that a slow machine does not lengthen
        // the period.
        next = (next + period_ms).max(events.targets.clock.now_ms());
    }
}
