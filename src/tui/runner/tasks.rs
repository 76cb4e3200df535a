//! The running tasks, one for each request, and the store that they use.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use cache_core::{Inspect, StoreIdentity};
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::tui::message::{Message, Outcome};
use crate::tui::runner::reporter::Reporter;
use crate::tui::ticket::Ticket;

/// The running tasks.
pub(crate) struct Tasks {
    /// The store, once it is open.
    pub(crate) store: Arc<OnceLock<Arc<dyn Inspect>>>,
    /// The store that was listed last.
    pub(crate) listed: Arc<Mutex<Option<StoreIdentity>>>,
    /// The sender of messages.
    pub(crate) inbox: mpsc::Sender<Message>,
    running: HashMap<Ticket, Task>,
    in_flight: Arc<AtomicUsize>,
}

struct Task {
    handle: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    /// It runs until it is canceled: it does not count as in flight.
    is_endless: bool,
}

/// Starts a task of the dashboard. A panic of the task ends the dashboard.
#[expect(clippy::disallowed_methods, reason = "the only place that starts tasks of the dashboard")]
pub(crate) fn start(inbox: &mpsc::Sender<Message>, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let inbox = inbox.clone();
    tokio::spawn(async move {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            let _ = inbox.send(Message::Panicked).await;
        }
    })
}

impl Tasks {
    /// No tasks, and no store yet.
    pub(crate) fn new(inbox: mpsc::Sender<Message>) -> Self {
        Self {
            store: Arc::default(),
            listed: Arc::default(),
            inbox,
            running: HashMap::new(),
            in_flight: Arc::default(),
        }
    }

    /// The number of requests in flight, as a shared counter.
    pub(crate) fn in_flight(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.in_flight)
    }

    /// Starts a task that needs the store; does nothing before the store is open.
    pub(crate) fn spawn_on_store<F: Future<Output = Outcome> + Send + 'static>(
        &mut self,
        ticket: Ticket,
        work: impl FnOnce(Arc<dyn Inspect>, Reporter) -> F,
    ) {
        if let Some(store) = self.store.get().cloned() {
            self.spawn(ticket, move |reporter| work(store, reporter));
        }
    }

    /// Starts a task; its outcome is sent as [`Message::Done`].
    pub(crate) fn spawn<F: Future<Output = Outcome> + Send + 'static>(
        &mut self,
        ticket: Ticket,
        work: impl FnOnce(Reporter) -> F,
    ) {
        let stop = Arc::new(AtomicBool::new(false));
        let inbox = self.inbox.clone();
        let work = work(Reporter { ticket, inbox: inbox.clone(), stop: Arc::clone(&stop) });
        let handle = start(&self.inbox, async move {
            let outcome = work.await;
            // The inbox is closed once the dashboard has been left.
            let _ = inbox.send(Message::Done(ticket, outcome)).await;
        });
        self.in_flight.fetch_add(1, Ordering::Release);
        self.running.insert(ticket, Task { handle, stop, is_endless: false });
    }

    /// Marks a task as endless: it no longer counts as in flight.
    pub(crate) fn mark_endless(&mut self, ticket: Ticket) {
        if let Some(task) = self.running.get_mut(&ticket) {
            task.is_endless = true;
            self.in_flight.fetch_sub(1, Ordering::Release);
        }
    }

    /// Aborts a task at once.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        if let Some(task) = self.running.remove(&ticket) {
            task.handle.abort();
            self.forget(&task);
        }
    }

    /// Signals a task to end after the current batch.
    pub(crate) fn stop(&self, ticket: Ticket) {
        if let Some(task) = self.running.get(&ticket) {
            task.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Removes a finished task, after its last message.
    pub(crate) fn finish(&mut self, ticket: Ticket) {
        if let Some(task) = self.running.remove(&ticket) {
            self.forget(&task);
        }
    }

    /// Aborts all tasks and waits until each has cleaned up.
    pub(crate) async fn close(self) {
        for task in self.running.values() {
            task.handle.abort();
        }
        for task in self.running.into_values() {
            let _ = task.handle.await;
        }
    }

    fn forget(&self, task: &Task) {
        if !task.is_endless {
            self.in_flight.fetch_sub(1, Ordering::Release);
        }
    }
}
