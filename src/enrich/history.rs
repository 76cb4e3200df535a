//! What was enriched of late, kept in the store, so that everybody who shares the cache sees it.

use std::time::Duration;

use cache_core::{LeaseState, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::enrich::report::Report;

/// Where it is kept: under none of the cache's prefixes, so that it is no entry.
const KEY: &str = "animecache:runs";

/// So many runs are kept.
const KEPT: usize = 50;

/// As long as they take no more bytes than this: the keys of a long series are many.
const LARGEST: usize = 1 << 20;

const TTL: Duration = Duration::from_secs(30 * 86_400);

/// Several runs may end at once on one Redis, and each rewrites the whole list: longer than one of them takes.
const TURN: Duration = Duration::from_secs(2);

const ASK_AGAIN: Duration = Duration::from_millis(20);

/// An enrichment that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it ended, in Unix seconds.
    pub at: f64,
    #[serde(flatten)]
    pub report: Report,
}

/// The runs of late, newest first. What another version wrote, and cannot be read, is left out.
pub async fn runs(store: &dyn Store) -> cache_core::Result<Vec<Run>> {
    let kept = read(store).await?.into_iter();
    Ok(kept.filter_map(|run| serde_json::from_value(run).ok()).collect())
}

/// Adds a run. Fails where the store cannot be written.
pub async fn add(store: &dyn Store, run: &Run) -> cache_core::Result<()> {
    let holder = Uuid::new_v4();
    let turn = async {
        while let Ok(LeaseState::HeldByOther) = store.acquire(KEY, holder, TURN).await {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    // Whoever has the turn and does not give it back is gone: better two at once than a run that is not told of.
    let _ = tokio::time::timeout(2 * TURN, turn).await;
    let is_added = rewrite(store, run).await;
    // It ends by itself too.
    let _ = store.release(KEY, holder, None).await;
    is_added
}

async fn rewrite(store: &dyn Store, run: &Run) -> cache_core::Result<()> {
    let kept = read(store).await?;
    let mut texts = Vec::with_capacity(kept.len() + 1);
    let mut size = 0;
    for text in serde_json::to_string(run).into_iter().chain(kept.iter().map(Value::to_string)).take(KEPT) {
        size += text.len();
        if size > LARGEST && !texts.is_empty() {
            break;
        }
        texts.push(text);
    }
    store.set(KEY, format!("[{}]", texts.join(",\n")).into(), TTL).await
}

/// What is kept as it is, whoever wrote it; what is no list counts as none.
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
    async fn the_newest_fifty_are_kept() {
        let store = Memory::default();
        assert_eq!(runs(&store).await.unwrap(), []);
        for number in 0..60 {
            add(&store, &run(number)).await.unwrap();
        }
        let kept = runs(&store).await.unwrap();
        assert_eq!(kept.len(), KEPT);
        assert_eq!((&kept[0], &kept[KEPT - 1]), (&run(59), &run(10)));
    }

    #[tokio::test]
    async fn a_list_of_huge_runs_stays_bearable() {
        let store = Memory::default();
        let mut huge = run(1);
        huge.report.title = "x".repeat(LARGEST / 2);
        for _ in 0..5 {
            add(&store, &huge).await.unwrap();
        }
        assert_eq!(runs(&store).await.unwrap().len(), 1, "two do not fit");
        huge.report.title = "x".repeat(2 * LARGEST);
        add(&store, &huge).await.unwrap();
        assert_eq!(runs(&store).await.unwrap(), [huge], "the newest is always kept");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_left_out_and_left_alone() {
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
