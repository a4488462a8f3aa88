//! Calls of the simulated tables, with the faults of [`crate::FaultRates`].

use std::future::pending;

use relay::lease_table::{LeaseTable, Renewal};
use relay::ports::SessionReader;
use session::{Language, PortError, SessionId, Settings, StreamArn, StreamItem};

use crate::fault_rates::CallOutcome;
use crate::host::{SimHost, throttled};
use crate::state::State;
use crate::table::Write;

impl SimHost {
    async fn store<T: Send + 'static>(
        &self,
        effect: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let outcome = self.world.outcome(|state| state.table.fault_rates);
        if outcome == CallOutcome::Refused {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            return Err(throttled());
        }
        let output = self.call(5, effect).await;
        match outcome {
            CallOutcome::AnswerLost => Err(throttled()),
            CallOutcome::Unanswered => pending().await,
            CallOutcome::Answered | CallOutcome::Refused => Ok(output),
        }
    }
}

impl LeaseTable for SimHost {
    async fn load(&self, _: &SessionId) -> Result<Option<StreamItem>, PortError> {
        self.store(|state| state.table.item.clone()).await
    }

    async fn take(
        &self,
        _: &SessionId,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> Result<Option<StreamItem>, PortError> {
        let (seen, owner) = (seen.clone(), owner.to_owned());
        self.store(move |state| state.table.take(&seen, &owner, expires_at)).await
    }

    async fn renew(
        &self,
        _: &SessionId,
        renewal: Renewal<'_>,
    ) -> Result<Option<StreamItem>, PortError> {
        let write = Write::from(renewal);
        self.store(move |state| state.table.renew(&write)).await
    }

    async fn release(
        &self,
        _: &SessionId,
        renewal: Renewal<'_>,
        ended: bool,
    ) -> Result<Option<()>, PortError> {
        let write = Write::from(renewal);
        self.store(move |state| state.table.release(&write, ended)).await
    }

    async fn announce(
        &self,
        _: &SessionId,
        epoch: u64,
        successor: &str,
    ) -> Result<Option<()>, PortError> {
        let successor = successor.to_owned();
        self.store(move |state| state.table.announce(epoch, successor)).await
    }

    async fn request_run(
        &self,
        _: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> Result<StreamItem, PortError> {
        let (stream, settings) = (stream.cloned(), settings.cloned());
        self.store(|state| state.table.request_run(stream, settings)).await
    }

    async fn request_stop(&self, _: &SessionId, stop_at: u64) -> Result<StreamItem, PortError> {
        self.store(move |state| state.table.request_stop(stop_at)).await
    }
}

impl SessionReader for SimHost {
    async fn is_over(&self, _: &SessionId) -> Result<bool, PortError> {
        self.store(|state| state.table.ended_at.is_some()).await
    }

    async fn listener_languages(&self, _: &SessionId) -> Result<Vec<Language>, PortError> {
        self.store(|state| state.table.languages.clone()).await
    }
}
