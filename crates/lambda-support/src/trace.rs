//! The X-Ray trace header of the current invocation.
//!
//! The AWS SDK reads `X-Amzn-Trace-Id` from a process-wide variable, which is wrong when one
//! process serves several invocations concurrently. Here each invocation stores its own header in a
//! task-local, and `aws-adapters` adds it to every AWS call of the invocation.

tokio::task_local! {
    static TRACE: Option<String>;
}

/// Maximum length of a propagated trace header: EventBridge's limit for `TraceHeader`.
const MAX_LEN: usize = 500;

/// Runs `work` with `header` (the value of `Lambda-Runtime-Trace-Id`) as its trace header. A header
/// longer than 500 characters is dropped, because headers also come from events.
///
/// Spawned tasks do not inherit the header: wrap their future in [`scope`] with [`current`].
pub async fn scope<F: Future>(header: Option<String>, work: F) -> F::Output {
    TRACE.scope(header.filter(|header| header.len() <= MAX_LEN), work).await
}

/// Returns the trace header of the enclosing [`scope`], if any.
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
