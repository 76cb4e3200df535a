//! The effect that watches cache events.

use cache_core::{Error, EventSource, Inspect};
use futures_util::FutureExt;

use crate::tui::message::{EnrichProgress, Outcome, WatchUpdate};
use crate::tui::runner::reporter::{REPORT_INTERVAL, Reporter};
use crate::tui::runner::tasks::Tasks;
use crate::tui::ticket::Ticket;

/// At most so many events of a watch in one message.
const WATCH_BATCH: usize = 5_000;

/// Watches until the task is canceled.
pub(crate) fn start_watch(tasks: &mut Tasks, ticket: Ticket, source: EventSource) {
    tasks.spawn_on_store(ticket, move |store, reporter| async move {
        Outcome::Watched(watch(&*store, source, &reporter).await)
    });
    tasks.mark_endless(ticket);
}

async fn watch(store: &dyn Inspect, source: EventSource, reporter: &Reporter) -> Result<bool, Error> {
    let Some(mut events) = store.watch(source).await? else { return Ok(false) };
    let was = events.changed_setting().map(|(before, _)| before.to_owned());
    let report = async |update| reporter.send(EnrichProgress::Watch(update)).await;
    let mut is_open = report(WatchUpdate::Started { since: events.since(), was }).await;
    let mut failure = None;
    while is_open && let Some(first) = events.next().await {
        let mut seen = Vec::new();
        let mut next = Some(first);
        while let Some(event) = next {
            match event {
                Ok(event) => seen.push(event),
                Err(error) => failure = Some(error),
            }
            next = if seen.len() < WATCH_BATCH { events.next().now_or_never().flatten() } else { None };
        }
        is_open = report(WatchUpdate::Observed(seen)).await;
        tokio::time::sleep(REPORT_INTERVAL).await;
    }
    // Closed before any error is returned: that restores the changed setting.
    events.close().await?;
    failure.map_or(Ok(true), Err)
}
