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
type Requests = Arc<tokio::sync::Mutex<mpsc::Receiver<Option<Work>>>>;

/// Wraps the whole runtime service: if an invocation never reached the handler, the extension would
/// wait until the function timed out.
#[derive(Clone, Debug)]
pub(crate) struct ScopeLayer(mpsc::Sender<Option<Work>>);

/// The runtime service, with a request scope for each invocation.
#[derive(Clone, Debug)]
pub(crate) struct ScopeService<S> {
    runtime: S,
    request_done: mpsc::Sender<Option<Work>>,
}

/// The scope of one invocation and its deferred work. Notifies the extension when dropped.
#[derive(Clone)]
struct RequestScope(Arc<ScopeInner>);

struct ScopeInner {
    deferred: Mutex<Option<Work>>,
    request_done: mpsc::Sender<Option<Work>>,
}

tokio::task_local! {
    static SCOPE: RequestScope;
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
) -> (ScopeLayer, impl Future<Output = Result<(), Error>>) {
    // The next invocation starts only after the extension has received this one's message, so there
    // is never more than one.
    let (request_done, requests) = mpsc::channel(1);
    let requests: Requests = Arc::new(tokio::sync::Mutex::new(requests));
    let run_deferred =
        lambda_extension::service_fn(move |_: LambdaEvent| run_deferred(Arc::clone(&requests)));
    let extension = Extension::new()
        .with_extension_name("post-response")
        .with_events(&["INVOKE"])
        .with_events_processor(run_deferred);
    let registered = match initialization {
        Some(kind) if FROZEN.contains(&kind) => extension.register().await,
        _ => Err("not supported in this environment".into()),
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
    (ScopeLayer(request_done), run)
}

/// Waits until the invocation is done, and runs its deferred work.
async fn run_deferred(requests: Requests) -> Result<(), Error> {
    if let Some(Some(work)) = requests.lock().await.recv().await {
        // Runs in a separate task, so that a panic, which the panic hook logs, ends this work only.
        let _ = tokio::spawn(work).await;
    }
    Ok(())
}

/// Defers `work` until after the response of this invocation. Runs it immediately if no extension
/// is registered.
pub(crate) async fn defer(work: impl Future<Output = ()> + Send + 'static) {
    let scope = SCOPE.try_with(RequestScope::clone).ok();
    match scope.filter(|scope| !scope.0.request_done.is_closed()) {
        Some(scope) => {
            *scope.0.deferred.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(work));
        }
        None => work.await,
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, runtime: S) -> ScopeService<S> {
        ScopeService { runtime, request_done: self.0.clone() }
    }
}

impl<S> Service<LambdaInvocation> for ScopeService<S>
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
        let request_done = self.request_done.clone();
        let scope = RequestScope(Arc::new(ScopeInner { deferred: Mutex::default(), request_done }));
        let response = self.runtime.call(invocation);
        Box::pin(SCOPE.scope(scope, response))
    }
}

impl Drop for ScopeInner {
    fn drop(&mut self) {
        let deferred = self.deferred.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        use mpsc::error::TrySendError::{Closed, Full};
        // Without an extension the channel is closed and nothing is deferred. Work that cannot be
        // passed on still runs: two messages for one event would be an error of Lambda, and a
        // channel that is closed with work deferred means that the extension has ended.
        if let Err(Full(Some(work)) | Closed(Some(work))) = self.request_done.try_send(deferred) {
            tokio::spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::{lambda_runtime, tower::ServiceExt};

    use super::*;

    fn extension() -> (ScopeLayer, Requests) {
        let (request_done, requests) = mpsc::channel(1);
        (ScopeLayer(request_done), Arc::new(tokio::sync::Mutex::new(requests)))
    }

    /// Serves one invocation with a runtime that calls `handler`.
    async fn serve<F>(layer: &ScopeLayer, handler: impl Fn() -> F + Clone)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let runtime = lambda_runtime::service_fn(move |_: LambdaInvocation| handler());
        let (parts, ()) = lambda_http::Response::new(()).into_parts();
        let body = Default::default();
        let invocation = LambdaInvocation { parts, body, context: lambda_http::Context::default() };
        // An error would end the runtime; here it comes from the handler.
        let _ = layer.layer(runtime).oneshot(invocation).await;
    }

    /// Serves one invocation that defers work. The receiver gets a message when the work is done.
    async fn serve_and_defer(layer: &ScopeLayer) -> mpsc::Receiver<()> {
        let (done, receiver) = mpsc::channel(1);
        let handler = move || {
            let done = done.clone();
            async move {
                defer(async move { done.send(()).await.unwrap() }).await;
                Ok(())
            }
        };
        serve(layer, handler).await;
        receiver
    }

    #[tokio::test]
    async fn deferred_work_runs_in_the_extension_and_not_before() {
        let (layer, requests) = extension();
        let mut done = serve_and_defer(&layer).await;
        assert!(done.try_recv().is_err());
        run_deferred(requests).await.unwrap();
        assert_eq!(done.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn every_invocation_ends_its_scope() {
        let (layer, requests) = extension();
        serve(&layer, || async { Ok(()) }).await;
        run_deferred(Arc::clone(&requests)).await.unwrap();
        // As for an event that is not an API request: the handler is never called.
        serve(&layer, || async { Err("not a request".into()) }).await;
        run_deferred(Arc::clone(&requests)).await.unwrap();
        let panics = tokio::spawn(async move {
            serve(&layer, || async { panic!("as no handler should") }).await;
        });
        assert!(panics.await.is_err());
        run_deferred(requests).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_does_not_end_the_extension() {
        let (layer, requests) = extension();
        let handler = || async {
            defer(async { panic!("as no work should") }).await;
            Ok(())
        };
        serve(&layer, handler).await;
        run_deferred(requests).await.unwrap();
    }

    #[tokio::test]
    async fn an_environment_that_is_never_frozen_has_no_extension() {
        for initialization in [None, Some("lambda-managed-instances")] {
            let (layer, _run) = register(initialization).await;
            assert!(layer.0.is_closed(), "{initialization:?}");
        }
    }

    #[tokio::test]
    async fn without_an_extension_work_runs_before_the_response() {
        let (layer, requests) = extension();
        drop(requests);
        let mut done = serve_and_defer(&layer).await;
        assert_eq!(done.try_recv(), Ok(()));
    }
}
