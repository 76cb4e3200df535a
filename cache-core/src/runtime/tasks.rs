//! Background tasks, which end with their cache.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The timeout of one cleanup task.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// The tasks of one cache. Clones share them, so that a task can start others; [`Tasks::end`] ends them all.
#[derive(Clone)]
pub(crate) struct Tasks(Arc<Mutex<Option<Sets>>>);

#[derive(Default)]
struct Sets {
    work: JoinSet<()>,
    endless: JoinSet<()>,
    /// These end within [`GIVING_BACK`].
    giving_back: JoinSet<()>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Sets::default()))))
    }

    /// Starts a task, unless the cache is closed or there is no runtime.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_in(|sets| &mut sets.work, task);
    }

    /// As [`Self::spawn`], for a task that [`Self::close`] does not wait for.
    pub(crate) fn spawn_endless(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_in(|sets| &mut sets.endless, task);
    }

    fn spawn_in(&self, set: fn(&mut Sets) -> &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
        let mut sets = self.sets();
        if let (Some(sets), Ok(runtime)) = (sets.as_mut(), Handle::try_current()) {
            start(set(sets), task, &runtime);
        }
    }

    /// As [`Self::spawn`], for the cleanup of something that others wait for, a lease say: also after closing.
    pub(crate) fn give_back(&self, task: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let task = async move { drop(tokio::time::timeout(GIVING_BACK, task).await) };
        // Only tried: a runtime that shuts down drops a task while it is being started, with the lock held, and the
        // drop may call this.
        match self.0.try_lock().as_deref_mut() {
            Ok(Some(sets)) => start(&mut sets.giving_back, task, &runtime),
            _ => drop(runtime.spawn(task)),
        }
    }

    /// Waits for running tasks up to this time, then ends them.
    pub(crate) async fn close(&self, patience: Duration) {
        let begun = self.sets().as_mut().map(std::mem::take);
        if let Some(sets) = begun {
            sets.close(patience).await;
        }
        // Ended tasks may have started a cleanup.
        if let Some(sets) = self.take() {
            sets.close(GIVING_BACK).await;
        }
    }

    /// Ends all tasks at once, except cleanups.
    pub(crate) fn end(&self) {
        if let Some(mut sets) = self.take() {
            sets.giving_back.detach_all();
        }
    }

    /// From now on no task is started.
    fn take(&self) -> Option<Sets> {
        self.sets().take()
    }

    fn sets(&self) -> MutexGuard<'_, Option<Sets>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(set: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
    // Finished tasks would accumulate in the set.
    while set.try_join_next().is_some() {}
    set.spawn_on(task, runtime);
}

impl Sets {
    async fn close(mut self, patience: Duration) {
        self.endless.shutdown().await;
        let _ = tokio::time::timeout(patience, async { while self.work.join_next().await.is_some() {} }).await;
        self.work.shutdown().await;
        while self.giving_back.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn close_waits_for_work_only() {
        let tasks = Tasks::new();
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        tasks.spawn(async move {
            tokio::time::sleep(PATIENCE / 2).await;
            done.store(true, Ordering::Relaxed);
        });
        tasks.spawn_endless(pending());
        let started = Instant::now();
        tasks.close(PATIENCE).await;
        assert!(is_done.load(Ordering::Relaxed));
        assert_eq!(started.elapsed(), PATIENCE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn close_leaves_no_task_and_starts_none() {
        let tasks = Tasks::new();
        tasks.spawn(pending());
        tasks.spawn_endless(pending());
        let started = Instant::now();
        tasks.close(PATIENCE).await;
        assert_eq!(started.elapsed(), PATIENCE);
        tasks.spawn(pending());
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }

    #[tokio::test]
    async fn end_ends_all_tasks_at_once() {
        let tasks = Tasks::new();
        let inner = tasks.clone();
        // A task that holds the group does not keep it alive.
        tasks.spawn(async move {
            inner.spawn_endless(pending());
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
        let tasks = Tasks::new();
        for _ in 0..100 {
            tasks.give_back(async {});
            tokio::task::yield_now().await;
        }
        assert!(tasks.sets().as_ref().unwrap().giving_back.len() <= 2);
    }

    #[tokio::test]
    async fn end_does_not_end_a_cleanup() {
        let (tasks, is_back) = (Tasks::new(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&is_back);
        tasks.give_back(async move { told.store(true, Ordering::Relaxed) });
        // Before the cleanup was polled.
        tasks.end();
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(is_back.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn ended_task_can_start_a_cleanup() {
        struct GivesBack(Tasks, Arc<AtomicBool>);
        impl Drop for GivesBack {
            fn drop(&mut self) {
                let is_back = Arc::clone(&self.1);
                self.0.give_back(async move { is_back.store(true, Ordering::Relaxed) });
            }
        }
        for closes in [true, false] {
            let (tasks, is_back) = (Tasks::new(), Arc::new(AtomicBool::new(false)));
            let held = GivesBack(tasks.clone(), Arc::clone(&is_back));
            tasks.spawn(async move {
                let _held = held;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
            if closes {
                tasks.close(PATIENCE).await;
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
        let tasks = Tasks::new();
        tasks.spawn(async { unreachable!("there is nothing that could run it") });
        tasks.end();
    }
}
