//! Runs work after an invocation's response has been sent.
//!
//! Lambda returns a function's response to the caller as soon as it is available, but lets the
//! function run until each of its extensions requests the next event, within the function's timeout
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>; AWS Compute Blog,
//! "Performance and functionality improvements for AWS Lambda Extensions"). This process therefore
//! registers itself as an internal extension. Without an extension, spawned work would be frozen
//! together with the environment.
//!
//! ```text
//! runtime    next ─► handler defers work ─► response ─► request done ─► next …
//! extension  next ────────────────────────────────────► runs that work ─► next …
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use lambda_extension::{Extension, LambdaEvent};
use lambda_http::{Error, Service, lambda_runtime::LambdaInvocation, tower::Layer};
use tokio::sync::mpsc;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Turns = Arc<tokio::sync::Mutex<mpsc::Receiver<Option<Work>>>>;

/// Wraps the whole runtime service: if an invocation never reached the handler, the extension would
/// wait until the function timed out.
#[derive(Clone, Debug)]
pub(crate) struct AfterAnswer(mpsc::Sender<Option<Work>>);

/// The runtime service, with a request scope for each invocation.
#[derive(Clone, Debug)]
pub(crate) struct InTurns<S> {
    runtime: S,
    ends: mpsc::Sender<Option<Work>>,
}

/// The scope of one invocation and its deferred work. Notifies the extension when dropped.
#[derive(Clone)]
struct Turn(Arc<OpenTurn>);

struct OpenTurn {
    left: Mutex<Option<Work>>,
    ends: mpsc::Sender<Option<Work>>,
}

tokio::task_local! {
    static TURN: Turn;
}

/// Values of `AWS_LAMBDA_INITIALIZATION_TYPE` for environments with one invocation at a time, which
/// are frozen between invocations:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
const FROZEN: [&str; 3] = ["on-demand", "provisioned-concurrency", "snap-start"];

/// Registers the extension, and returns the layer and the future that runs it. Must be called
/// before the runtime requests its first invocation.
///
/// Without internal extensions (Lambda Managed Instances, `cargo lambda watch`, some emulators),
/// deferred work runs immediately, before the response.
pub(crate) async fn register(
    initialization: Option<&str>,
) -> (AfterAnswer, impl Future<Output = Result<(), Error>>) {
    // The next invocation starts only after the extension has received this one's message, so there
    // is never more than one.
    let (ends, turns) = mpsc::channel(1);
    let turns: Turns = Arc::new(tokio::sync::Mutex::new(turns));
    let finish = lambda_extension::service_fn(move |_: LambdaEvent| finish(Arc::clone(&turns)));
    let extension = Extension::new()
        .with_extension_name("after-answer")
        .with_events(&["INVOKE"])
        .with_events_processor(finish);
    let registered = match initialization {
        Some(kind) if FROZEN.contains(&kind) => extension.register().await,
        _ => Err("this environment has none".into()),
    };
    let run = async {
        match registered {
            Ok(extension) => extension.run().await,
            Err(error) => {
                tracing::info!(
                    "no internal extension: deferred work runs before the response: {error}"
                );
                std::future::pending().await
            }
        }
    };
    (AfterAnswer(ends), run)
}

/// Waits until the invocation is done, and runs its deferred work.
async fn finish(turns: Turns) -> Result<(), Error> {
    if let Some(Some(work)) = turns.lock().await.recv().await {
        // Runs in a separate task, so that a panic, which the panic hook logs, ends this work only.
        let _ = tokio::spawn(work).await;
    }
    Ok(())
}

/// Defers `work` until after the response of this invocation. Runs it immediately if no extension
/// is registered.
pub(crate) async fn leave(work: impl Future<Output = ()> + Send + 'static) {
    let turn = TURN.try_with(Turn::clone).ok();
    match turn.filter(|turn| !turn.0.ends.is_closed()) {
        Some(turn) => {
            *turn.0.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(work));
        }
        None => work.await,
    }
}

impl<S> Layer<S> for AfterAnswer {
    type Service = InTurns<S>;

    fn layer(&self, runtime: S) -> InTurns<S> {
        InTurns { runtime, ends: self.0.clone() }
    }
}

impl<S> Service<LambdaInvocation> for InTurns<S>
where
    S: Service<LambdaInvocation>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.runtime.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let turn = Turn(Arc::new(OpenTurn { left: Mutex::default(), ends: self.ends.clone() }));
        let served = self.runtime.call(invocation);
        Box::pin(TURN.scope(turn, served))
    }
}

impl Drop for OpenTurn {
    fn drop(&mut self) {
        let left = self.left.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // Without an extension the channel is closed, which is not an error.
        if let Err(mpsc::error::TrySendError::Full(Some(work))) = self.ends.try_send(left) {
            // Two messages for one event would be an error of Lambda. The work still runs.
            tokio::spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::{lambda_runtime, tower::ServiceExt};

    use super::*;

    fn extension() -> (AfterAnswer, Turns) {
        let (ends, turns) = mpsc::channel(1);
        (AfterAnswer(ends), Arc::new(tokio::sync::Mutex::new(turns)))
    }

    /// Serves one invocation with a runtime that calls `handler`.
    async fn serve<F>(after_answer: &AfterAnswer, handler: impl Fn() -> F + Clone)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let runtime = lambda_runtime::service_fn(move |_: LambdaInvocation| handler());
        let (parts, ()) = lambda_http::Response::new(()).into_parts();
        let body = Default::default();
        let invocation = LambdaInvocation { parts, body, context: lambda_http::Context::default() };
        // An error would end the runtime; here it comes from the handler.
        let _ = after_answer.layer(runtime).oneshot(invocation).await;
    }

    /// Serves one invocation that defers work. The receiver gets a message when the work is done.
    async fn serve_and_leave(after_answer: &AfterAnswer) -> mpsc::Receiver<()> {
        let (done, heard) = mpsc::channel(1);
        let handler = move || {
            let done = done.clone();
            async move {
                leave(async move { done.send(()).await.unwrap() }).await;
                Ok(())
            }
        };
        serve(after_answer, handler).await;
        heard
    }

    #[tokio::test]
    async fn what_is_left_is_done_by_the_extension_and_not_before() {
        let (after_answer, turns) = extension();
        let mut done = serve_and_leave(&after_answer).await;
        assert!(done.try_recv().is_err());
        finish(turns).await.unwrap();
        assert_eq!(done.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn every_invocation_ends_its_turn() {
        let (after_answer, turns) = extension();
        serve(&after_answer, || async { Ok(()) }).await;
        finish(Arc::clone(&turns)).await.unwrap();
        // As for an event that is not an API request: the handler is never called.
        serve(&after_answer, || async { Err("not a request".into()) }).await;
        finish(Arc::clone(&turns)).await.unwrap();
        let panics = tokio::spawn(async move {
            serve(&after_answer, || async { panic!("as no handler should") }).await;
        });
        assert!(panics.await.is_err());
        finish(turns).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_does_not_end_the_extension() {
        let (after_answer, turns) = extension();
        let handler = || async {
            leave(async { panic!("as no work should") }).await;
            Ok(())
        };
        serve(&after_answer, handler).await;
        finish(turns).await.unwrap();
    }

    #[tokio::test]
    async fn an_environment_that_is_never_frozen_has_no_extension() {
        for initialization in [None, Some("lambda-managed-instances")] {
            let (after_answer, _run) = register(initialization).await;
            assert!(after_answer.0.is_closed(), "{initialization:?}");
        }
    }

    #[tokio::test]
    async fn without_an_extension_it_is_done_before_the_answer() {
        let (after_answer, turns) = extension();
        drop(turns);
        let mut done = serve_and_leave(&after_answer).await;
        assert_eq!(done.try_recv(), Ok(()));
    }
}
