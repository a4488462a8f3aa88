//! The relay's ports, implemented by AWS.

use aws_adapters::dynamodb::{SessionWatch, StreamsTable};
use aws_adapters::get_media::GetMedia;
use aws_adapters::lambda::ProcessorFunction;
use aws_adapters::next_run::NextRun;
use aws_adapters::sqs::DeadLetterQueues;
use lambda_support::context::SystemContext;
use relay::Relay;
use relay::ports::Ports;

use crate::consumer::Consumer;
use crate::end_notice::EndNotice;
use crate::metrics::Emf;

impl Consumer {
    /// Returns the relay of this process's sessions.
    pub(crate) const fn relay(&self) -> Relay<'_, OnAws> {
        Relay {
            config: &self.config.relay,
            ctx: &self.ctx,
            leases: &self.streams,
            media: &self.media,
            processor: &self.processor,
            dead_letters: &self.dead_letters,
            sessions: &self.watch,
            listeners: &self.end_notice,
            self_invoker: &self.next_run,
            metrics: &self.meter,
        }
    }
}

/// The types of the ports on AWS.
pub(crate) struct OnAws;

impl Ports for OnAws {
    type Context = SystemContext;
    type Leases = StreamsTable;
    type Media = GetMedia;
    type Processor = ProcessorFunction;
    type DeadLetters = DeadLetterQueues;
    type Sessions = SessionWatch;
    type Listeners = EndNotice;
    type SelfInvoker = NextRun;
    type Metrics = Emf;
}
