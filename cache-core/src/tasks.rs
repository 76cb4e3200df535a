//! What a cache does in the background, and its end: no task outlives its cache.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The tasks of one cache. Clones share them, so a task may start others; [`Tasks::end`] ends them all.
#[derive(Clone)]
pub(crate) struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(JoinSet::new()))))
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
        if let Some(mut tasks) = self.take() {
            let _ = tokio::time::timeout(patience, async { while tasks.join_next().await.is_some() {} }).await;
            tasks.shutdown().await;
        }
    }

    /// Ends what is under way at once.
    pub(crate) fn end(&self) {
        drop(self.take());
    }

    /// From here on nothing is started any more.
    fn take(&self) -> Option<JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
