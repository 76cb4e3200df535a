//! Changing TTLs, batch by batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream;
use futures_util::stream::StreamExt;

use crate::admin::batch::{AT_ONCE, BATCH, Progress};
use crate::clock;
use crate::error::{Backend, Error, Result};
use crate::model::entry::EntryId;
use crate::store::inspect::Inspect;

/// The new TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Expire so long from now.
    Set(Duration),
    /// Expire so much later than planned so far; what never expires stays so.
    Extend(Duration),
    /// Never expire.
    Persist,
}

/// An entry, and when it expires so far, in Unix seconds; `None`: never.
pub type Target = (EntryId, Option<f64>);

/// What changing TTLs did.
#[derive(Debug, Default)]
pub struct Report {
    /// Entries that were still there, and have the new TTL.
    pub changed: u64,
    /// Entries that were not dealt with because of `error`.
    pub failed: u64,
    /// The first error met.
    pub error: Option<Error>,
    /// `stop` was set before the end.
    pub is_interrupted: bool,
}

/// Changes the TTLs of these entries of `backend`. Stops behind the batch during which `stop` is set, and
/// behind the one that met an error, unless that is about single entries only.
pub async fn change(
    store: &Arc<dyn Inspect>,
    backend: &Backend,
    entries: &[Target],
    change: Change,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress),
) -> Report {
    let mut report = Report::default();
    let total = entries.len() as u64;
    let mut done = 0;
    for batch in entries.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            report.is_interrupted = true;
            break;
        }
        let (changed, error) = touch(store, backend, batch, change).await;
        report.changed += changed;
        if let Some(error) = error {
            let is_last = !error.is_about_one_entry();
            report.failed += if is_last { total - done } else { batch.len() as u64 } - changed;
            report.error.get_or_insert(error);
            if is_last {
                break;
            }
        }
        done += batch.len() as u64;
        progress(Progress { done, total, entries: report.changed });
    }
    report
}

/// How many were changed, and the first error.
async fn touch(store: &Arc<dyn Inspect>, on: &Backend, batch: &[Target], change: Change) -> (u64, Option<Error>) {
    let now = clock::now();
    let together = match change {
        Change::Set(ttl) => Some(Some(ttl)),
        Change::Persist => Some(None),
        Change::Extend(_) => None,
    };
    if let Some(ttl) = together {
        let ids: Vec<EntryId> = batch.iter().map(|(id, _)| id.clone()).collect();
        match store.touch_on(on, &ids, ttl).await {
            Ok(changed) => return (changed, None),
            Err(error) if batch.len() == 1 || is_about_all(&error) => {
                return (0, Some(error));
            }
            // One that cannot be changed must not keep its neighbours from it.
            Err(_) => {}
        }
    }
    let each: Vec<_> =
        batch.iter().map(|target| touch_one(Arc::clone(store), on.clone(), target.clone(), change, now)).collect();
    stream::iter(each)
        .buffer_unordered(AT_ONCE)
        .fold((0, None), |(changed, error), outcome| async move {
            match outcome {
                Ok(more) => (changed + more, error),
                Err(new) => (changed, error.or(Some(new))),
            }
        })
        .await
}

/// Whether every other entry would meet the same error.
fn is_about_all(error: &Error) -> bool {
    error.is_temporary() || matches!(error, Error::ReadOnly(_) | Error::BackendChanged { .. })
}

async fn touch_one(
    store: Arc<dyn Inspect>,
    on: Backend,
    (id, expires_at): Target,
    change: Change,
    now: f64,
) -> Result<u64> {
    let ttl = match change {
        Change::Set(ttl) => Some(ttl),
        Change::Persist => None,
        Change::Extend(by) => {
            let Some(left) = expires_at.map(|at| at - now) else { return Ok(0) };
            Some(Duration::try_from_secs_f64(left.max(0.0)).unwrap_or_default().saturating_add(by))
        }
    };
    store.touch_on(&on, std::slice::from_ref(&id), ttl).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filter::Filter;
    use crate::model::service::ServiceRegistry;
    use crate::store::memory::Memory;
    use crate::store::paging::pages;
    use crate::store::traits::Store;
    use futures_util::TryStreamExt as _;

    async fn targets(store: &Arc<dyn Inspect>) -> Vec<Target> {
        let pages: Vec<_> = pages(Arc::clone(store), Filter::default()).try_collect().await.unwrap();
        pages.into_iter().flat_map(|page| page.entries).map(|entry| (entry.id, entry.expires_at)).collect()
    }

    #[tokio::test]
    async fn each_entry_is_extended_by_its_own_ttl() {
        let memory = Memory::new(ServiceRegistry::default());
        for (key, seconds) in [("result_cache:p:1", 100), ("result_cache:p:2", 1_000)] {
            memory.put_result(key, "1".into(), Duration::from_secs(seconds)).await.unwrap();
        }
        let store: Arc<dyn Inspect> = Arc::new(memory.clone());
        let run = async |how| {
            let before = targets(&store).await;
            let report = change(&store, &store.backend(), &before, how, &AtomicBool::new(false), |_| ()).await;
            let now = clock::now();
            let ttls: Vec<_> = targets(&store).await.iter().map(|(_, at)| at.map(|at| (at - now).round())).collect();
            (report.changed, ttls)
        };
        assert_eq!(run(Change::Extend(Duration::from_secs(50))).await, (2, vec![Some(150.0), Some(1_050.0)]));
        assert_eq!(run(Change::Set(Duration::from_secs(7))).await, (2, vec![Some(7.0), Some(7.0)]));
        assert_eq!(run(Change::Persist).await, (2, vec![None, None]));
        assert_eq!(run(Change::Extend(Duration::from_secs(50))).await, (0, vec![None, None]));
    }

    #[tokio::test]
    async fn a_stop_changes_nothing_more() {
        let memory = Memory::new(ServiceRegistry::default());
        memory.put_result("result_cache:p:1", "1".into(), Duration::from_secs(100)).await.unwrap();
        let store: Arc<dyn Inspect> = Arc::new(memory);
        let all = targets(&store).await;
        let report = change(&store, &store.backend(), &all, Change::Persist, &AtomicBool::new(true), |_| ()).await;
        assert!(report.is_interrupted);
        assert_eq!(report.changed, 0);
    }
}
