//! The quotas of a stream's connections.

use std::sync::Arc;

use super::FragmentStore;
use crate::aws_error::AwsError;
use crate::kvs::errors;

/// GetMedia connections at once (hard quota).
const READERS: usize = 3;
/// PutMedia connections at once (hard quota).
const WRITERS: usize = 1;

/// Which media API a connection uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kvs) enum Access {
    Read,
    Write,
}

impl Access {
    fn operation(self) -> &'static str {
        match self {
            Self::Read => "GetMedia",
            Self::Write => "PutMedia",
        }
    }
}

/// A connection that counts against a stream's limit until it is dropped.
#[derive(Debug)]
pub(in crate::kvs) struct ConnectionPermit {
    store: Arc<FragmentStore>,
    access: Access,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut held = self.store.held();
        match self.access {
            Access::Read => held.readers -= 1,
            Access::Write => {
                held.writers -= 1;
                if held.open.take().is_some() {
                    drop(held);
                    self.store.changed();
                }
            }
        }
    }
}

impl FragmentStore {
    /// Counts a call and returns a permit for a connection.
    ///
    /// # Errors
    /// `ClientLimitExceededException` beyond five calls a second,
    /// `ConnectionLimitExceededException` beyond the limit of connections.
    pub(in crate::kvs) fn acquire(
        self: &Arc<Self>,
        access: Access,
        now_ms: i64,
    ) -> Result<ConnectionPermit, AwsError> {
        let mut held = self.held();
        let calls = match access {
            Access::Read => &mut held.get_calls,
            Access::Write => &mut held.put_calls,
        };
        if !calls.admit(now_ms) {
            return Err(errors::too_many_calls(access.operation()));
        }
        let (taken, most) = match access {
            Access::Read => (&mut held.readers, READERS),
            Access::Write => (&mut held.writers, WRITERS),
        };
        if *taken >= most {
            return Err(errors::too_many_connections(access.operation(), most));
        }
        *taken += 1;
        drop(held);
        Ok(ConnectionPermit { store: Arc::clone(self), access })
    }
}
