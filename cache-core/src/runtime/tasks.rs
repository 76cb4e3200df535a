//! Background tasks, which end with their cache.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The timeout of one cleanup task.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(1);

/// The tasks of one cache. Clones share them, so that a task can start others; [`TaskGroup::end`] ends them all.
#[derive(Clone)]
pub(crate) struct TaskGroup(Arc<Mutex<Option<Sets>>>);

#[derive(Default)]
struct Sets {
    work: JoinSet<()>,
    daemons: JoinSet<()>,
    /// Tasks that end within [`CLEANUP_TIMEOUT`].
    cleanup: JoinSet<()>,
}

impl TaskGroup {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Sets::default()))))
    }

    /// Starts a task, unless the cache is closed or there is no runtime.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_in(|sets| &mut sets.work, task);
    }

    /// As [`Self::spawn`], for a task that [`Self::close`] does not wait for.
    pub(crate) fn spawn_daemon(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_in(|sets| &mut sets.daemons, task);
    }

    fn spawn_in(&self, set: fn(&mut Sets) -> &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
        let mut sets = self.lock();
        if let (Some(sets), Ok(runtime)) = (sets.as_mut(), Handle::try_current()) {
            start(set(sets), task, &runtime);
        }
    }

    /// As [`Self::spawn`], for a cleanup that other processes wait for, such as releasing a lease: also after closing.
    pub(crate) fn spawn_cleanup(&self, task: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let task = async move { drop(tokio::time::timeout(CLEANUP_TIMEOUT, task).await) };
        // Only tried: a runtime that shuts down drops a task while it is being started, with the lock held, and the
        // drop may call this.
        match self.0.try_lock().as_deref_mut() {
            Ok(Some(sets)) => start(&mut sets.cleanup, task, &runtime),
            _ => drop(runtime.spawn(task)),
        }
    }

    /// Waits for running tasks up to this timeout, then ends them.
    pub(crate) async fn close(&self, timeout: Duration) {
        let begun = self.lock().as_mut().map(std::mem::take);
        if let Some(sets) = begun {
            sets.close(timeout).await;
        }
        // Ended tasks may have started a cleanup.
        if let Some(sets) = self.take() {
            sets.close(CLEANUP_TIMEOUT).await;
        }
    }

    /// Ends all tasks at once, except cleanups.
    pub(crate) fn end(&self) {
        if let Some(mut sets) = self.take() {
            sets.cleanup.detach_all();
        }
    }

    /// From now on no task is started.
    fn take(&self) -> Option<Sets> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sets>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(set: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
    // Finished tasks would accumulate in the set.
    while set.try_join_next().is_some() {}
    set.spawn_on(task, runtime);
}

impl Sets {
    async fn close(mut self, timeout: Duration) {
        self.daemons.shutdown().await;
        let _ = tokio::time::timeout(timeout, async { while self.work.join_next().await.is_some() {} }).await;
        self.work.shutdown().await;
        while self.cleanup.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::Instant;

    use super::*;

    const TEST_TIMEOUT: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn close_waits_for_work_only() {
        let tasks = TaskGroup::new();
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        tasks.spawn(async move {
            tokio::time::sleep(TEST_TIMEOUT / 2).await;
            done.store(true, Ordering::Relaxed);
        });
        tasks.spawn_daemon(pending());
        let started = Instant::now();
        tasks.close(TEST_TIMEOUT).await;
        assert!(is_done.load(Ordering::Relaxed));
        assert_eq!(started.elapsed(), TEST_TIMEOUT / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn close_leaves_no_task_and_starts_none() {
        let tasks = TaskGroup::new();
        tasks.spawn(pending());
        tasks.spawn_daemon(pending());
        let started = Instant::now();
        tasks.close(TEST_TIMEOUT).await;
        assert_eq!(started.elapsed(), TEST_TIMEOUT);
        tasks.spawn(pending());
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }

    #[tokio::test]
    async fn end_ends_all_tasks_at_once() {
        let tasks = TaskGroup::new();
        let inner = tasks.clone();
        // A task that holds the group does not keep it alive.
        tasks.spawn(async move {
            inner.spawn_daemon(pending());
            pending::<()>().await;
        });
        tokio::task::yield_now().await;
        tasks.end();
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn finished_tasks_are_removed() {
        let tasks = TaskGroup::new();
        for _ in 0..100 {
            tasks.spawn_cleanup(async {});
            tokio::task::yield_now().await;
        }
        assert!(tasks.lock().as_ref().unwrap().cleanup.len() <= 2);
    }

    #[tokio::test]
    async fn end_does_not_end_a_cleanup() {
        let (tasks, is_back) = (TaskGroup::new(), Arc::new(AtomicBool::new(false)));
        let message = Arc::clone(&is_back);
        tasks.spawn_cleanup(async move { message.store(true, Ordering::Relaxed) });
        // Before the cleanup was polled.
        tasks.end();
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(is_back.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn ended_task_can_start_a_cleanup() {
        struct GivesBack(TaskGroup, Arc<AtomicBool>);
        impl Drop for GivesBack {
            fn drop(&mut self) {
                let is_back = Arc::clone(&self.1);
                self.0.spawn_cleanup(async move { is_back.store(true, Ordering::Relaxed) });
            }
        }
        for closes in [true, false] {
            let (tasks, is_back) = (TaskGroup::new(), Arc::new(AtomicBool::new(false)));
            let held = GivesBack(tasks.clone(), Arc::clone(&is_back));
            tasks.spawn(async move {
                let _held = held;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
            if closes {
                tasks.close(TEST_TIMEOUT).await;
            } else {
                tasks.end();
                while !is_back.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                }
            }
            assert!(is_back.load(Ordering::Relaxed), "closes: {closes}");
        }
    }

    #[test]
    fn nothing_is_started_without_a_runtime() {
        let tasks = TaskGroup::new();
        tasks.spawn(async { unreachable!("there is nothing that could run it") });
        tasks.end();
    }
}
