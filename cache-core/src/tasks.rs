//! What a cache does in the background, and its end: no task outlives its cache.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The tasks of one cache. Dropping it ends them all.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<Option<JoinSet<()>>>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }

    /// Starts a task; nothing happens once the cache is closed or outside a runtime.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(tasks), Ok(runtime)) = (tasks.as_mut(), Handle::try_current()) {
            // What has ended makes room.
            while tasks.try_join_next().is_some() {}
            tasks.spawn_on(task, &runtime);
        }
    }

    /// Lets what is under way end, but no longer than this; then ends it.
    pub(crate) async fn close(&self, patience: Duration) {
        let tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut tasks) = tasks {
            let _ = tokio::time::timeout(patience, async { while tasks.join_next().await.is_some() {} }).await;
            tasks.shutdown().await;
        }
    }
}
