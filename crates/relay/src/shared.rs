//! State shared by the parts of one run.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value that the futures of one run share. They run in one task, so the lock is never contended.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Returns the value. The guard must not be held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Only a panic that has already ended the run can poison the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
