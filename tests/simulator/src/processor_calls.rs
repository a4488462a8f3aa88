//! Invocations of the simulated processor, with the faults of [`crate::FaultRates`].

use std::future::pending;

use relay::answer::Reply;
use session::audio::AudioPayload;

use crate::fault_rates::CallOutcome;
use crate::host::SimHost;
use crate::processor::Script;

impl relay::ports::Processor for SimHost {
    async fn invoke(&self, payload: &AudioPayload) -> Reply {
        payload.check().unwrap();
        let outcome = self.world.outcome(|state| state.processor.fault_rates);
        let (script, takes) = {
            let processor = &mut self.world.state().processor;
            (processor.scripts.pop_front(), processor.time_for(payload))
        };
        let takes = u64::try_from(takes.as_millis()).unwrap();
        if outcome == CallOutcome::Refused {
            self.call(takes, |_| ()).await;
            return Reply::Failed("statusCode 500".into());
        }
        let offered = payload.clone();
        let reply = self.call(takes, move |state| {
            let processor = &mut state.processor;
            match script {
                Some(Script::Fail) => Some(Reply::Failed("statusCode 500".into())),
                Some(Script::Hang) => None,
                Some(Script::Invalid) => Some(Reply::Invalid("InvalidPayload".into())),
                Some(Script::Forget) => Some(processor.forget()),
                Some(Script::TakeAndFail) => {
                    processor.take(&offered);
                    Some(Reply::Failed("killed after the work".into()))
                }
                None => Some(processor.take(&offered)),
            }
        });
        match (reply.await, outcome) {
            (Some(reply), CallOutcome::Answered | CallOutcome::Refused) => reply,
            (Some(_), CallOutcome::AnswerLost) => Reply::Failed("the answer was lost".into()),
            (None, _) | (Some(_), CallOutcome::Unanswered) => pending().await,
        }
    }
}
