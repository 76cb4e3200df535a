//! Changing TTLs in batches.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::admin::batch::{BatchProgress, BatchReport, Grouping, Target, run};
use crate::clock;
use crate::error::{BackendId, Result};
use crate::model::entry::EntryId;
use crate::store::inspect::Inspect;

/// A change of TTLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryChange {
    /// Set the TTL.
    Set(Duration),
    /// Extend the TTL; entries without a TTL are unchanged.
    Extend(Duration),
    /// Remove the TTL.
    Persist,
}

/// Result of a TTL change: the number of entries that existed and have the new TTL.
pub type TtlReport = BatchReport<u64>;

/// Changes the TTLs of these entries of `backend`. Stops after a batch during which `stop` is set, or after an error
/// that concerns all entries.
pub async fn change(
    store: &Arc<dyn Inspect>,
    backend: &BackendId,
    targets: &[Target],
    change: ExpiryChange,
    stop: &AtomicBool,
    mut progress: impl FnMut(BatchProgress),
) -> TtlReport {
    let report_progress = |done, total, changed: &u64| progress(BatchProgress { done, total, entries: *changed });
    // Each entry is extended by its own TTL.
    let grouping = if matches!(change, ExpiryChange::Extend(_)) { Grouping::Single } else { Grouping::Together };
    run(targets, grouping, stop, report_progress, |batch| apply(Arc::clone(store), backend.clone(), batch, change))
        .await
}

async fn apply(store: Arc<dyn Inspect>, backend: BackendId, batch: Vec<Target>, change: ExpiryChange) -> Result<u64> {
    let ttl = match (change, &batch[..]) {
        (ExpiryChange::Set(ttl), _) => Some(ttl),
        (ExpiryChange::Persist, _) => None,
        (ExpiryChange::Extend(by), [(_, Some(expires_at))]) => {
            let left = (expires_at - clock::now()).max(0.0);
            Some(Duration::try_from_secs_f64(left).unwrap_or_default().saturating_add(by))
        }
        (ExpiryChange::Extend(_), _) => return Ok(0),
    };
    let ids: Vec<EntryId> = batch.into_iter().map(|(id, _)| id).collect();
    store.expire_on(&backend, &ids, ttl).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filter::Filter;
    use crate::model::service::ServiceRegistry;
    use crate::store::memory::Memory;
    use crate::store::paging::pages;
    use crate::store::traits::ResultStore as _;
    use futures_util::TryStreamExt as _;

    async fn targets(store: &Arc<dyn Inspect>) -> Vec<Target> {
        let pages: Vec<_> = pages(Arc::clone(store), Filter::default()).try_collect().await.unwrap();
        pages.into_iter().flat_map(|page| page.entries).map(|entry| (entry.id, entry.expires_at)).collect()
    }

    #[tokio::test]
    async fn each_entry_is_extended_by_its_own_ttl() {
        let memory = Memory::new(ServiceRegistry::default());
        for (key, seconds) in [("result_cache:p:1", 100), ("result_cache:p:2", 1_000)] {
            memory.set(key, "1".into(), Duration::from_secs(seconds)).await.unwrap();
        }
        let store: Arc<dyn Inspect> = Arc::new(memory.clone());
        let run = async |how| {
            let before = targets(&store).await;
            let report = change(&store, &store.id(), &before, how, &AtomicBool::new(false), |_| ()).await;
            let now = clock::now();
            let ttls: Vec<_> = targets(&store).await.iter().map(|(_, at)| at.map(|at| (at - now).round())).collect();
            (report.done, ttls)
        };
        assert_eq!(run(ExpiryChange::Extend(Duration::from_secs(50))).await, (2, vec![Some(150.0), Some(1_050.0)]));
        assert_eq!(run(ExpiryChange::Set(Duration::from_secs(7))).await, (2, vec![Some(7.0), Some(7.0)]));
        assert_eq!(run(ExpiryChange::Persist).await, (2, vec![None, None]));
        assert_eq!(run(ExpiryChange::Extend(Duration::from_secs(50))).await, (0, vec![None, None]));
    }

    #[tokio::test]
    async fn a_stopped_run_changes_nothing() {
        let memory = Memory::new(ServiceRegistry::default());
        memory.set("result_cache:p:1", "1".into(), Duration::from_secs(100)).await.unwrap();
        let store: Arc<dyn Inspect> = Arc::new(memory);
        let all = targets(&store).await;
        let report = change(&store, &store.id(), &all, ExpiryChange::Persist, &AtomicBool::new(true), |_| ()).await;
        assert!(report.is_interrupted);
        assert_eq!(report.done, 0);
    }
}
