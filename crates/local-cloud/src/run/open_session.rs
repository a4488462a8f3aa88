//! A session that a run has opened: what is spoken into it, its end, and its report.

use std::path::Path;
use std::time::Duration;

use producer::{Recording, Spoken};
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::{Client, Session};
use super::counted::Counted;
use super::print::{say, seconds};
use super::report::Report;
use super::{OUTPUT, RunArgs, files, print, words};
use crate::error::Error;
use crate::inspect::cloud::Cloud;
use crate::progress::{self, Progress, Step};
use local_aws::clock::real_now_us;
use local_aws::delivery_stats::DeliveryStats;

/// How often progress is checked, in real time.
pub(super) const POLL_EVERY: Duration = Duration::from_millis(200);
/// The longest time without progress after DELETE. The consumer needs at most 25 s to detect that a
/// stream is drained; a killed one is replaced within 75 s (both on the scaled clock). The real
/// part covers a busy machine.
const QUIET_CLOUD: Duration = Duration::from_secs(100);
const QUIET_REAL: Duration = Duration::from_secs(30);
/// How long nothing was accepted before the state of the delivery is read.
const SILENT_BEFORE_CHECK: Duration = Duration::from_secs(5);
/// Failed deliveries without one success before them, after which no more are awaited.
const MAX_FIRST_FAILURES: u64 = 5;
/// What runs the sessions.
const HOSTS: [&str; 2] = ["kvs-stream-consumer", "stream-worker"];

/// The session, and what is spoken into it.
pub(super) struct OpenSession<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) media: &'a Path,
    pub(super) recording: &'a Recording,
    /// The local cloud.
    pub(super) url: &'a str,
    pub(super) client: &'a Client,
    pub(super) session: &'a Session,
    pub(super) time_scale: f64,
}

impl OpenSession<'_> {
    /// Speaks into an open session, ends it and writes its report, also when samples are missing.
    pub(super) async fn reported(&self) -> Result<(), Error> {
        let Self { args, recording, client, session, .. } = self;
        if let Err(error) = self.speak().await {
            // The recording is incomplete, so the session is ended.
            client.end_session(&session.id).await?;
            files::keep_logs(client).await?;
            return Err(self.failed(&error.to_string()));
        }
        client.end_session(&session.id).await?;
        let deleted_us = real_now_us();
        say(&format!("DELETE /sessions/{}: ended; waiting for the drain", session.id));
        let stats = self.drained().await?;
        let mut report = Report::new(
            &stats,
            recording.samples_16k(),
            deleted_us,
            self.media.to_owned(),
            args.pace,
            self.time_scale,
        );
        report.writes_wav = client.writes_wav().await?;
        report.words = words::recognised(client, &stats).await?;
        files::keep_audio(client, &mut report).await?;
        let mut logs = String::new();
        for host in HOSTS {
            let log = client.file(&format!("/_local/logs/{host}")).await?.unwrap_or_default();
            logs += &String::from_utf8_lossy(&log);
        }
        report.counted = Counted::of(&session.id, &logs);
        if let Some(path) = &args.report {
            files::write_report(path, &report)?;
        }
        print::report(&report);
        files::keep_logs(client).await?;
        if args.processor.is_some() {
            say(&format!("the log of the processor is in {OUTPUT}"));
        }
        let faults = report.faults();
        if faults.is_empty() {
            return Ok(());
        }
        Err(self.failed(&faults.join("; ")))
    }

    fn failed(&self, reason: &str) -> Error {
        let id = &self.session.id;
        Error::Client(format!("session {id}: {reason}. The functions' logs are in {OUTPUT}"))
    }

    /// Sends the recording and prints the progress of its delivery.
    ///
    /// # Errors
    /// The stream rejects the recording, or the processor's program does not run.
    async fn speak(&self) -> Result<(), Error> {
        let Self { args, recording, client, session, .. } = self;
        say(&format!(
            "speaking {} ({:.1} s, {} packets) at {}x, in fragments of {} ms, into {}",
            self.media.display(),
            recording.duration_ms() as f64 / 1000.0,
            recording.packets.len(),
            args.pace.speed,
            args.pace.fragment_ms,
            session.stream
        ));
        let producer = crate::speaker::producer(self.url, session.stream.clone(), args.pace);
        let (progress, spoken) = watch::channel(Spoken::default());
        let speaking = producer.speak(recording, &progress, |_| {});
        let step = async || {
            // A cloud that does not answer fails the speaker too.
            let stats = client.stats(&session.id).await.unwrap_or_default();
            let delivered = format!("delivered {:.1} s", seconds(stats.samples_delivered));
            crate::speaker::step(&spoken.borrow(), recording, vec![delivered, failures(&stats)])
        };
        let spoken = tokio::select! {
            spoken = progress::during(speaking, step) => spoken?,
            reason = self.processor_does_not_run() => return Err(Error::Client(reason)),
        };
        say(&format!(
            "spoken: {} packets, {} samples, persisted fragments: {}, reconnects: {}",
            spoken.packets,
            recording.samples_16k(),
            spoken.persisted,
            spoken.reconnects
        ));
        Ok(())
    }

    /// Waits until the processor's program has failed often and has accepted nothing, and returns
    /// its last failure. Waits forever for a processor that runs.
    async fn processor_does_not_run(&self) -> String {
        loop {
            tokio::time::sleep(POLL_EVERY).await;
            let stats = self.client.stats(&self.session.id).await.unwrap_or_default();
            if has_only_failed(&stats) && is_lambdas(stats.last_failure.as_deref()) {
                return format!("the processor accepted nothing: {}", failures(&stats));
            }
        }
    }

    /// Waits until the final chunk is accepted or the delivery has ended without it, until no new
    /// sample was accepted for too long, or until the processor has failed often and has accepted
    /// nothing.
    async fn drained(&self) -> Result<DeliveryStats, Error> {
        let Self { client, session, .. } = self;
        let limit = QUIET_REAL + QUIET_CLOUD.div_f64(self.time_scale.max(1.0));
        let total_s = seconds(self.recording.samples_16k());
        let mut last = client.stats(&session.id).await?;
        let cloud = Cloud::at(self.url).await?;
        let (mut moved, mut progress) = (Instant::now(), Progress::new());
        while last.final_accepted_us.is_none() && moved.elapsed() < limit {
            tokio::time::sleep(POLL_EVERY).await;
            let now = client.stats(&session.id).await?;
            if now.samples_delivered > last.samples_delivered {
                moved = Instant::now();
            }
            last = now;
            let done_s = seconds(last.samples_delivered);
            progress.show(&Step { name: "delivering", done_s, total_s, note: failures(&last) });
            if has_only_failed(&last) {
                break;
            }
            // The final chunk may be dead-lettered. A cloud of another template has no such table.
            if moved.elapsed() > SILENT_BEFORE_CHECK
                && cloud.has_ended(&session.id).await.unwrap_or_default()
            {
                return client.stats(&session.id).await;
            }
        }
        Ok(last)
    }
}

/// Returns whether no delivery was accepted, and so many failed that no more are awaited.
const fn has_only_failed(stats: &DeliveryStats) -> bool {
    stats.chunks == 0 && stats.failed_deliveries >= MAX_FIRST_FAILURES
}

/// Returns whether an error is Lambda's own: the program did not start, or exited, or exceeded its
/// timeout. An error of the processor may pass, for example while it loads a model.
fn is_lambdas(error: Option<&str>) -> bool {
    error.is_some_and(|error| ["Runtime.", "Sandbox."].iter().any(|it| error.starts_with(it)))
}

/// Returns the failures and the last one's error as a note on the progress; empty without one.
fn failures(stats: &DeliveryStats) -> String {
    let last = stats.last_failure.as_deref().unwrap_or("no answer");
    match stats.failed_deliveries {
        0 => String::new(),
        1 => format!("1 delivery failed: {last}"),
        failed => format!("{failed} deliveries failed, the last with {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_lambda_is_none_of_the_processor() {
        assert!(is_lambdas(Some("Runtime.ExitError")) && is_lambdas(Some("Sandbox.Timedout")));
        assert!(!is_lambdas(Some("statusCode 503")) && !is_lambdas(None));
    }

    #[test]
    fn failed_deliveries_are_shown_with_the_last_error() {
        let stats = |failed_deliveries| DeliveryStats {
            failed_deliveries,
            last_failure: Some("Sandbox.Timedout".to_owned()),
            ..DeliveryStats::default()
        };
        assert_eq!(failures(&DeliveryStats::default()), "");
        assert_eq!(failures(&stats(1)), "1 delivery failed: Sandbox.Timedout");
        assert_eq!(failures(&stats(2)), "2 deliveries failed, the last with Sandbox.Timedout");
    }
}
