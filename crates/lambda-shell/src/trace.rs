//! The X-Ray trace of the invocation being served.
//!
//! The AWS SDK takes `X-Amzn-Trace-Id` from a process-wide variable, which cannot be right when one
//! process serves several invocations at once. Here each invocation carries its own header in a
//! task-local, and `aws-adapters` puts it on every AWS call made inside.

use std::future::Future;

tokio::task_local! {
    static TRACE: Option<String>;
}

/// Longest trace header that is passed on: what EventBridge takes as an entry's `TraceHeader`.
const MAX_LEN: usize = 500;

/// Runs `work` with `header` (the value of `Lambda-Runtime-Trace-Id`) as its trace; a longer
/// one than 500 characters is dropped, because it comes from events too.
///
/// A task spawned inside does not inherit it: wrap its future in [`scope`] with [`current`].
pub async fn scope<F: Future>(header: Option<String>, work: F) -> F::Output {
    TRACE.scope(header.filter(|header| header.len() <= MAX_LEN), work).await
}

/// The trace header of the surrounding [`scope`], if there is one.
pub fn current() -> Option<String> {
    TRACE.try_with(Clone::clone).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn concurrent_invocations_keep_their_own_trace() {
        let served = |id: &'static str| {
            scope(Some(id.to_owned()), async {
                tokio::task::yield_now().await;
                current()
            })
        };
        let (first, second) = tokio::join!(served("Root=1-a"), served("Root=1-b"));
        assert_eq!((first.as_deref(), second.as_deref()), (Some("Root=1-a"), Some("Root=1-b")));
        assert_eq!(current(), None);
    }

    #[tokio::test]
    async fn a_header_that_is_too_long_is_left_out() {
        let kept = |length| scope(Some("x".repeat(length)), async { current().is_some() });
        assert!(kept(MAX_LEN).await);
        assert!(!kept(MAX_LEN + 1).await);
    }
}
