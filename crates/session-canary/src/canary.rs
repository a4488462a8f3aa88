//! One canary session, from POST to the drain.

use std::time::Duration;

use lambda_support::TimeScale;
use serde_json::Value;
use session::{PortError, SessionId};
use tokio::time::{Instant, sleep, timeout};

use crate::api::{self, Response, Session};
use crate::deployment::{Deployment, Progress};
use crate::error::CanaryError;
use crate::report::Report;

#[cfg(test)]
mod tests;

/// Longest creation and end of a session: the session handler's timeout of 29 s, and one retry.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// Longest time from the join until the sentence is spoken and its first sample accepted. Usually
/// it takes about as long as the sentence.
const SPEECH_LIMIT: Duration = Duration::from_secs(60);
/// Longest time until an ended session is delivered completely. Usually it takes 6 s.
const CLOSE_LIMIT: Duration = Duration::from_secs(60);
/// Requests before a request counts as failed, and the pause between them.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(3);
/// Interval of the reads of the progress; also the precision of the measured times.
const POLL: Duration = Duration::from_millis(250);

/// Runs canary sessions.
#[derive(Debug)]
pub(crate) struct Canary<D> {
    deployment: D,
    time_scale: TimeScale,
}

/// What may have to be ended.
#[derive(Debug, Default)]
enum Open {
    /// Nothing.
    #[default]
    Nothing,
    /// POST had no response, so a session may exist.
    Unknown,
    /// This session.
    Session(SessionId),
}

impl<D: Deployment> Canary<D> {
    /// Creates a canary. All limits and pauses are divided by the time scale.
    pub(crate) fn new(deployment: D, time_scale: TimeScale) -> Self {
        Self { deployment, time_scale }
    }

    /// Runs a session and ends it, also if a step fails. `key` makes repeated requests create one
    /// session.
    pub(crate) async fn run(&self, key: &str) -> Report {
        let (mut report, mut open) = (Report::default(), Open::Nothing);
        report.failure = self.steps(key, &mut report, &mut open).await.err();
        let cleaned = self.within("cleaning up", REQUEST_LIMIT, self.clean_up(key, open)).await;
        if let Err(error) = cleaned {
            let session = report.session_id.as_ref().map(SessionId::as_str);
            // The health check ends it after SessionIdleMinutes.
            tracing::error!(sessionId = session, %error, "canary session not ended");
        }
        report
    }

    async fn steps(
        &self,
        key: &str,
        report: &mut Report,
        open: &mut Open,
    ) -> Result<(), CanaryError> {
        let began = Instant::now();
        let session = self.within("creating", REQUEST_LIMIT, self.create(key, open)).await?;
        report.create = Some(began.elapsed());
        report.session_id = Some(session.id.clone());
        let joined = Instant::now();
        self.within("speaking", SPEECH_LIMIT, self.speak(&session, joined, report)).await?;
        let ending = Instant::now();
        self.within("ending", REQUEST_LIMIT, self.end(&session.id)).await?;
        *open = Open::Nothing;
        let closing = self.close(&session.id, joined, report);
        let last = self.within("closing", CLOSE_LIMIT, closing).await?;
        report.end = Some(ending.elapsed());
        self.check(last)
    }

    /// Creates a session. Until the response is known, `open` is unknown.
    async fn create(&self, key: &str, open: &mut Open) -> Result<Session, CanaryError> {
        *open = Open::Unknown;
        let response = match self.request(&api::create(key)).await {
            Ok(response) => response,
            Err(error) => {
                if !error.kind.is_outcome_unknown() {
                    *open = Open::Nothing;
                }
                return Err(error.into());
            }
        };
        let session = response.session();
        *open = match &session {
            Ok(session) => Open::Session(session.id.clone()),
            // The first request is still in progress.
            Err(_) if response.status_code == 409 => Open::Unknown,
            Err(_) => Open::Nothing,
        };
        session
    }

    /// Speaks the sentence, and waits for its first sample meanwhile.
    async fn speak(
        &self,
        session: &Session,
        joined: Instant,
        report: &mut Report,
    ) -> Result<(), CanaryError> {
        let speaking = async {
            let persisted = self.deployment.speak(&session.stream).await?;
            Ok::<_, CanaryError>(persisted)
        };
        let first = async {
            self.until(&session.id, |progress| progress.accepted > 0).await?;
            report.first_sample = Some(joined.elapsed());
            Ok(())
        };
        let (persisted, ()) = tokio::try_join!(speaking, first)?;
        let (_, sent) = self.deployment.sentence();
        match persisted == sent {
            true => Ok(()),
            false => Err(CanaryError::NotPersisted { persisted, sent }),
        }
    }

    /// Ends a session.
    async fn end(&self, session: &SessionId) -> Result<(), CanaryError> {
        self.request(&api::end(session)).await?.ended()
    }

    /// Sends a request to the session handler, and repeats it while that may help.
    async fn request(&self, event: &Value) -> Result<Response, PortError> {
        for _ in 1..TRIES {
            match self.deployment.call(event).await {
                Ok(response) if !response.is_retryable() => return Ok(response),
                Err(error) if !error.is_retryable() => return Err(error),
                _ => self.pause(PAUSE).await,
            }
        }
        self.deployment.call(event).await
    }

    /// Waits until the session is delivered completely.
    async fn close(
        &self,
        session: &SessionId,
        joined: Instant,
        report: &mut Report,
    ) -> Result<Progress, CanaryError> {
        let (spoken, _) = self.deployment.sentence();
        self.until(session, |progress| {
            if progress.accepted >= spoken && report.last_sample.is_none() {
                report.last_sample = Some(joined.elapsed());
            }
            progress.ended
        })
        .await
    }

    /// Checks that a closed session was delivered whole.
    fn check(&self, last: Progress) -> Result<(), CanaryError> {
        let Progress { accepted, missing, .. } = last;
        let (spoken, _) = self.deployment.sentence();
        match accepted == spoken && missing.is_empty() {
            true => Ok(()),
            false => Err(CanaryError::NotWhole { accepted, spoken, missing }),
        }
    }

    /// Ends the session that is still open, if any, also one whose POST had no response.
    async fn clean_up(&self, key: &str, mut open: Open) -> Result<(), CanaryError> {
        if let Open::Unknown = open {
            self.create(key, &mut open).await?;
        }
        match open {
            Open::Session(session) => self.end(&session).await,
            Open::Nothing | Open::Unknown => Ok(()),
        }
    }

    /// Reads the progress until it is as `wanted`.
    async fn until(
        &self,
        session: &SessionId,
        mut wanted: impl FnMut(&Progress) -> bool,
    ) -> Result<Progress, CanaryError> {
        loop {
            let progress = self.deployment.progress(session).await?;
            if wanted(&progress) {
                return Ok(progress);
            }
            self.pause(POLL).await;
        }
    }

    async fn within<T>(
        &self,
        step: &'static str,
        limit: Duration,
        work: impl Future<Output = Result<T, CanaryError>>,
    ) -> Result<T, CanaryError> {
        let timed_out = |_| CanaryError::TimedOut { step, limit };
        timeout(self.time_scale.wall(limit), work).await.map_err(timed_out)?
    }

    async fn pause(&self, pause: Duration) {
        sleep(self.time_scale.wall(pause)).await;
    }
}
