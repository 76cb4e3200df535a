//! Reports the progress of a task to the dashboard.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::tui::message::{EnrichProgress, Message};
use crate::tui::ticket::Ticket;

/// At most ten reports a second.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// Reports the progress of one request.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(crate) ticket: Ticket,
    pub(crate) inbox: mpsc::Sender<Message>,
    /// Set if the task shall end after the current batch.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Reporter {
    /// Sends progress, waiting for room in the inbox; returns `false` if the dashboard has been left.
    pub(crate) async fn send(&self, progress: EnrichProgress) -> bool {
        self.inbox.send(Message::Progress(self.ticket, progress)).await.is_ok()
    }

    /// Sends progress, or drops it if the inbox is full: what fills the inbox is newer.
    pub(crate) fn try_send(&self, progress: EnrichProgress) {
        let _ = self.inbox.try_send(Message::Progress(self.ticket, progress));
    }

    /// Returns a callback that reports how far a change has come, at most once an interval.
    pub(crate) fn work(&self) -> impl FnMut(u64, u64) + use<> {
        let reporter = self.clone();
        let start = Instant::now();
        let mut last: Option<Instant> = None;
        move |done, total| {
            if last.is_none_or(|last| last.elapsed() >= REPORT_INTERVAL) {
                last = Some(Instant::now());
                reporter.try_send(EnrichProgress::Work { done, total, elapsed: start.elapsed() });
            }
        }
    }
}
