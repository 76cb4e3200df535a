//! A thread that owns a connection, since SQLite blocks. Quick reads run on the caller's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::{BackendId, Result};
use crate::store::sqlite::database::Database;
use crate::store::sqlite::failure::{Failure, is_locked};
use crate::store::sqlite::schema::BUSY_TIMEOUT;

type Job = Box<dyn FnOnce(Result<&mut Database, Failure>) + Send>;

/// Sends jobs to a thread. When this is dropped, the thread closes its connection and ends.
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    /// Weak: the thread owns the database, so that the thread closes it.
    database: Weak<Mutex<Database>>,
    backend: BackendId,
}

impl Worker {
    /// Starts a thread; `open` runs on it first. Its connection is closed before `other` is dropped: of two that are
    /// closed at once, each would leave the final checkpoint to the other.
    pub(crate) async fn start(
        backend: BackendId,
        open: impl FnOnce() -> Result<Database, Failure> + Send + 'static,
        other: Option<Arc<Self>>,
    ) -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (opened, is_open) = oneshot::channel();
        let thread = std::thread::Builder::new().name("sqlite".into()).spawn(move || {
            let database = match open() {
                Ok(database) => Arc::new(Mutex::new(database)),
                Err(failure) => {
                    // A caller that was dropped needs no result.
                    let _ = opened.send(Err(failure));
                    return;
                }
            };
            let _ = opened.send(Ok(Arc::downgrade(&database)));
            for job in queue {
                let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
                // A job that panics (its caller gets an error) must not stop the jobs after it.
                let _ = catch_unwind(AssertUnwindSafe(|| job(database.open_connection())));
            }
            drop(database);
            drop(other);
        });
        let outcome = match thread {
            Ok(_) => is_open.await.unwrap_or(Err(Failure::Panicked)),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(database) => Ok(Self { jobs, database, backend }),
            Err(failure) => Err(failure.into_error(&backend, "opening the file")),
        }
    }

    /// Runs `job` on the thread. `operation` names it in errors.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        job: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (done, outcome) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Jobs of dropped callers are skipped: while another program holds the lock, they would accumulate.
            if !done.is_closed() {
                let _ = done.send(database.and_then(job));
            }
        });
        let outcome = match self.jobs.send(job) {
            Ok(()) => outcome.await.unwrap_or(Err(Failure::Panicked)),
            Err(_) => Err(Failure::Panicked),
        };
        outcome.map_err(|failure| failure.into_error(&self.backend, operation))
    }

    /// Runs `job` on the caller's thread. Returns `None` if it would have to wait for the worker or for another
    /// program.
    pub(crate) fn run_here<T>(
        &self,
        operation: &'static str,
        job: impl FnOnce(&mut Database) -> Result<T, Failure>,
    ) -> Option<Result<T>> {
        let database = self.database.upgrade()?;
        let mut database = database.try_lock().ok()?;
        if !database.is_open() {
            return None;
        }
        database.connection.busy_timeout(Duration::ZERO).ok()?;
        let outcome = catch_unwind(AssertUnwindSafe(|| job(&mut database))).unwrap_or(Err(Failure::Panicked));
        database.connection.busy_timeout(BUSY_TIMEOUT).ok()?;
        match outcome {
            Err(Failure::Sqlite(error)) if is_locked(&error) => None,
            outcome => Some(outcome.map_err(|failure| failure.into_error(&self.backend, operation))),
        }
    }

    /// Queues `job` without waiting for it, also if there is no database. It is an optimization: its failure is
    /// ignored.
    pub(crate) fn run_later<T>(
        &self,
        operation: &'static str,
        job: impl FnOnce(Result<&mut Database, Failure>) -> Result<T, Failure> + Send + 'static,
    ) {
        let job: Job = Box::new(move |database| {
            if let Err(failure) = job(database) {
                tracing::debug!(operation, %failure, "background write failed");
            }
        });
        // If the thread has ended, the next call that waits for it reports that.
        let _ = self.jobs.send(job);
    }
}

#[cfg(test)]
mod tests {
    use crate::model::service::ServiceRegistry;
    use crate::store::sqlite::if_missing::IfMissing;
    use crate::store::sqlite::store::Sqlite;

    #[tokio::test]
    async fn panicking_work_is_an_error_and_the_store_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("http_cache.db");
        let store = Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create).await.unwrap();
        let error = store.writer.run::<()>("panicking", |_| panic!("on purpose")).await.unwrap_err();
        assert!(error.to_string().contains("rejected panicking"), "{error}");
        store.writer.run("going on", |_| Ok(())).await.unwrap();
    }
}
