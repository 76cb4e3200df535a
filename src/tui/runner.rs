//! Runs effects, each as a task. No other part of the dashboard calls the store.

pub(crate) mod reporter;
pub(crate) mod start_change;
pub(crate) mod start_enrich;
pub(crate) mod start_scan;
pub(crate) mod start_watch;
pub(crate) mod tasks;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use cache_core::{Config, Opened};
use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::services::Services;
use crate::tui::effect::Effect;
use crate::tui::message::Message;
use crate::tui::runner::start_enrich::Enrichment;
use crate::tui::runner::start_scan::Opening;
use crate::tui::runner::tasks::Tasks;

/// Small, since each message may hold a page: a scan that is faster than the screen waits here instead of filling
/// memory.
const INBOX: usize = 8;

/// Puts a text on the clipboard.
pub type Clipboard = Box<dyn FnMut(&str) + Send>;

/// Starts a task for each effect.
pub struct Runner {
    tasks: Tasks,
    /// Awaited by the first [`Effect::Open`].
    opening: Option<Opening>,
    clipboard: Clipboard,
    enrichment: Enrichment,
}

impl Runner {
    /// A runner and the receiver of its messages. `opening` is awaited by the first [`Effect::Open`]; `config`
    /// configures the cache and the services of enrichments; `catalogue` is an anime-offline-database file that
    /// replaces the built-in one.
    pub fn new(
        opening: impl Future<Output = cache_core::Result<Opened>> + Send + 'static,
        (config, services): (Config, Services),
        catalogue: Option<PathBuf>,
        clipboard: Clipboard,
    ) -> (Self, mpsc::Receiver<Message>) {
        let (inbox, messages) = mpsc::channel(INBOX);
        let runner = Self {
            tasks: Tasks::new(inbox),
            opening: Some(opening.boxed()),
            clipboard,
            enrichment: Enrichment::new(config, services, catalogue),
        };
        (runner, messages)
    }

    /// The number of requests in flight, as a shared counter.
    pub fn in_flight(&self) -> Arc<AtomicUsize> {
        self.tasks.in_flight()
    }

    /// Starts effects that the loop does not carry out itself.
    pub fn start_all(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.start(effect);
        }
    }

    /// Starts an effect. The loop carries out [`Effect::Redraw`], [`Effect::Suspend`] and [`Effect::Quit`] itself.
    pub fn start(&mut self, effect: Effect) {
        let tasks = &mut self.tasks;
        match effect {
            Effect::Open(ticket) => {
                if let Some(opening) = self.opening.take() {
                    start_scan::start_open(tasks, ticket, opening);
                }
            }
            Effect::Scan(ticket) => start_scan::start_scan(tasks, ticket),
            Effect::Search { ticket, pattern, ids } => start_scan::start_search(tasks, ticket, pattern, ids),
            Effect::Load { ticket, id } => start_scan::start_load(tasks, ticket, id),
            Effect::Count(ticket) => start_scan::start_count(tasks, ticket),
            Effect::CheckHealth(ticket) => start_scan::start_health_check(tasks, ticket),
            Effect::Flush { ticket, plan } => start_change::start_flush(tasks, ticket, plan),
            Effect::ChangeTtl { ticket, plan, change } => {
                start_change::start_ttl_change(tasks, ticket, plan, change);
            }
            Effect::Watch { ticket, source } => start_watch::start_watch(tasks, ticket, source),
            Effect::LoadTitles(ticket) => start_enrich::start_load_titles(tasks, ticket, &self.enrichment),
            Effect::LoadRuns(ticket) => start_enrich::start_load_runs(tasks, ticket),
            Effect::Enrich { ticket, plan } => {
                start_enrich::start_enrich(tasks, ticket, &mut self.enrichment, plan);
            }
            Effect::Cancel(ticket) => tasks.cancel(ticket),
            Effect::Stop(ticket) => tasks.stop(ticket),
            Effect::Copy(text) => (self.clipboard)(&text),
            Effect::Redraw | Effect::Suspend | Effect::Quit => {}
        }
    }

    /// Ends a request after its last message.
    pub fn finish(&mut self, message: &Message) {
        if let Message::Done(ticket, _) = message {
            self.tasks.finish(*ticket);
        }
    }

    /// Aborts all tasks and waits until each has cleaned up.
    pub async fn close(self) {
        self.tasks.close().await;
        self.enrichment.close().await;
    }
}
