//! What an invocation still does when its answer is out.
//!
//! Lambda gives the caller a function's answer as soon as it has it, but lets the function go on until each of its
//! extensions asks for the next event, within the function's timeout:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>,
//! <https://aws.amazon.com/blogs/compute/performance-and-functionality-improvements-for-aws-lambda-extensions/>.
//! So this process is an extension of itself. Without one, work that is spawned would be frozen with the environment.
//!
//! ```text
//! runtime    next ─► Turn ─► handler ─► answer ─► next …
//! extension  next ─────────► waits for the turn's end ─► does what was left ─► next …
//! ```

use std::{future::Future, pin::Pin, sync::Arc};

use lambda_extension::{Extension, LambdaEvent};
use lambda_http::Error;
use tokio::sync::{Mutex, mpsc};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where each invocation takes its turn.
#[derive(Clone, Debug)]
pub(crate) struct AfterAnswer(mpsc::Sender<Option<Work>>);

/// One invocation's right to leave some work for later. Dropped, it leaves none.
#[derive(Debug)]
pub(crate) struct Turn(Option<mpsc::Sender<Option<Work>>>);

/// Registers the extension, and returns what runs it. To be called before the runtime asks for its first invocation.
///
/// Where there are no internal extensions (Lambda Managed Instances, some emulators) work that is left is done at
/// once, before the answer.
pub(crate) async fn register() -> (AfterAnswer, impl Future<Output = Result<(), Error>>) {
    // The next invocation does not begin before this one's turn was seen, so there is never more than one.
    let (left, turns) = mpsc::channel(1);
    let turns = Arc::new(Mutex::new(turns));
    let finish = lambda_extension::service_fn(move |_: LambdaEvent| finish(Arc::clone(&turns)));
    let extension = Extension::new()
        .with_extension_name("after-answer")
        .with_events(&["INVOKE"])
        .with_events_processor(finish);
    let registered = extension.register().await;
    let run = async {
        match registered {
            Ok(extension) => extension.run().await,
            Err(error) => {
                tracing::warn!("no internal extension, so events delay the answers: {error}");
                std::future::pending().await
            }
        }
    };
    (AfterAnswer(left), run)
}

/// Waits until the invocation's turn is over, and does what it left.
async fn finish(turns: Arc<Mutex<mpsc::Receiver<Option<Work>>>>) -> Result<(), Error> {
    if let Some(Some(work)) = turns.lock().await.recv().await {
        // In a task of its own: a panic, which is logged where it happens, ends this work only.
        let _ = tokio::spawn(work).await;
    }
    Ok(())
}

impl AfterAnswer {
    /// One invocation begins.
    pub(crate) fn turn(&self) -> Turn {
        Turn(Some(self.0.clone()))
    }
}

impl Turn {
    /// Has `work` done once the invocation is answered; at once, where nothing can be done after that.
    pub(crate) async fn leave(mut self, work: impl Future<Output = ()> + Send + 'static) {
        let Some(left) = self.0.take() else { return };
        if let Err(back) = left.try_send(Some(Box::pin(work)))
            && let Some(work) = back.into_inner()
        {
            work.await;
        }
    }
}

/// Also when the handler panics: the extension would wait for ever.
impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(left) = self.0.take() {
            // Nobody listens where there is no extension.
            let _ = left.try_send(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_extension() -> (AfterAnswer, Arc<Mutex<mpsc::Receiver<Option<Work>>>>) {
        let (left, turns) = mpsc::channel(1);
        (AfterAnswer(left), Arc::new(Mutex::new(turns)))
    }

    #[tokio::test]
    async fn what_is_left_is_done_by_the_extension_and_not_before() {
        let (after_answer, turns) = with_extension();
        let (done, seen) = tokio::sync::oneshot::channel();
        after_answer.turn().leave(async { done.send(()).unwrap() }).await;
        let mut seen = seen;
        assert!(seen.try_recv().is_err());
        finish(turns).await.unwrap();
        assert!(seen.try_recv().is_ok());
    }

    #[tokio::test]
    async fn an_invocation_that_leaves_nothing_or_panics_still_ends_its_turn() {
        let (after_answer, turns) = with_extension();
        drop(after_answer.turn());
        finish(Arc::clone(&turns)).await.unwrap();
        let turn = after_answer.turn();
        let handler = tokio::spawn(async move {
            let _turn = turn;
            panic!("as a handler may");
        });
        assert!(handler.await.is_err());
        finish(turns).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_does_not_end_the_extension() {
        let (after_answer, turns) = with_extension();
        after_answer.turn().leave(async { panic!("as work may") }).await;
        finish(turns).await.unwrap();
    }

    #[tokio::test]
    async fn without_an_extension_it_is_done_before_the_answer() {
        let (after_answer, turns) = with_extension();
        drop(turns);
        let (done, mut seen) = tokio::sync::oneshot::channel();
        after_answer.turn().leave(async { done.send(()).unwrap() }).await;
        assert!(seen.try_recv().is_ok());
        drop(after_answer.turn());
    }
}
