//! The latest runs, kept in the store: all programs that share the cache see them.

use std::time::Duration;

use cache_core::{LeaseState, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::enrich::report::EnrichReport;

/// Under none of the cache's prefixes: not an entry.
const KEY: &str = "animecache:runs";

const MAX_RUNS: usize = 50;

/// A run of a long series has many keys.
const MAX_BYTES: usize = 1 << 20;

const TTL: Duration = Duration::from_secs(30 * 86_400);

/// Longer than rewriting the list takes: runs that end at once take turns.
const LEASE_TTL: Duration = Duration::from_secs(2);

const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// A finished enrichment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it ended, in Unix seconds.
    pub at: f64,
    #[serde(flatten)]
    pub report: EnrichReport,
}

/// The latest runs, newest first, without those that another version wrote and this one cannot read.
pub async fn runs(store: &dyn Store) -> cache_core::Result<Vec<Run>> {
    let kept = read(store).await?.into_iter();
    Ok(kept.filter_map(|run| serde_json::from_value(run).ok()).collect())
}

/// Adds a run. Fails where the store cannot be written.
pub async fn add(store: &dyn Store, run: &Run) -> cache_core::Result<()> {
    let owner = Uuid::new_v4();
    let lease = async {
        while let Ok(LeaseState::HeldByOther) = store.acquire(KEY, owner, LEASE_TTL).await {
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    };
    // A lease that is not released belongs to a killed program: overwriting its run is better than losing this one.
    let _ = tokio::time::timeout(2 * LEASE_TTL, lease).await;
    let is_added = rewrite(store, run).await;
    // An error is harmless: the lease expires.
    let _ = store.release(KEY, owner, None).await;
    is_added
}

async fn rewrite(store: &dyn Store, run: &Run) -> cache_core::Result<()> {
    let kept = read(store).await?;
    let mut texts = Vec::with_capacity(kept.len() + 1);
    let mut size = 0;
    for text in serde_json::to_string(run).into_iter().chain(kept.iter().map(Value::to_string)).take(MAX_RUNS) {
        size += text.len();
        if size > MAX_BYTES && !texts.is_empty() {
            break;
        }
        texts.push(text);
    }
    store.set(KEY, format!("[{}]", texts.join(",\n")).into(), TTL).await
}

/// The stored list, of whatever version; anything else counts as empty.
async fn read(store: &dyn Store) -> cache_core::Result<Vec<Value>> {
    let kept = store.get(KEY).await?;
    Ok(kept.and_then(|kept| serde_json::from_slice(&kept.value).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Memory, ResultStore as _};
    use serde_json::json;

    fn run(number: usize) -> Run {
        let report = json!({"title": format!("no. {number}"), "services": [], "cold_seconds": 1.5, "warm_seconds": 0.5,
                            "speedup": 3.0, "identical": true});
        Run { at: number as f64, report: serde_json::from_value(report).unwrap() }
    }

    #[tokio::test]
    async fn history_keeps_newest_fifty_runs() {
        let store = Memory::default();
        assert_eq!(runs(&store).await.unwrap(), []);
        for number in 0..60 {
            add(&store, &run(number)).await.unwrap();
        }
        let kept = runs(&store).await.unwrap();
        assert_eq!(kept.len(), MAX_RUNS);
        assert_eq!((&kept[0], &kept[MAX_RUNS - 1]), (&run(59), &run(10)));
    }

    #[tokio::test]
    async fn history_of_huge_runs_is_limited_in_bytes() {
        let store = Memory::default();
        let mut huge = run(1);
        huge.report.title = "x".repeat(MAX_BYTES / 2);
        for _ in 0..5 {
            add(&store, &huge).await.unwrap();
        }
        assert_eq!(runs(&store).await.unwrap().len(), 1, "two do not fit");
        huge.report.title = "x".repeat(2 * MAX_BYTES);
        add(&store, &huge).await.unwrap();
        assert_eq!(runs(&store).await.unwrap(), [huge], "the newest is always kept");
    }

    #[tokio::test]
    async fn unreadable_runs_are_skipped_and_kept() {
        let store = Memory::default();
        for (kept, others) in [("nonsense", 0), ("{}", 0), (r#"[{"at": 1, "of": "another version"}]"#, 1)] {
            store.set(KEY, kept.into(), TTL).await.unwrap();
            assert_eq!(runs(&store).await.unwrap(), []);
            add(&store, &run(1)).await.unwrap();
            assert_eq!(runs(&store).await.unwrap(), [run(1)]);
            assert_eq!(read(&store).await.unwrap().len(), 1 + others);
        }
    }
}
