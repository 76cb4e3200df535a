//! Counters of this process that are not in the store yet, and flushing them in the background.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify};
use uuid::Uuid;

use crate::clock;
use crate::model::service::ServiceName;
use crate::model::stats::{Batch, Bucket, Counts, HOUR, KEPT, Scope, hour_of};
use crate::runtime::guarded_store::Graceful;
use crate::runtime::stats_cells::Cells;

/// The shortest interval between two flushes: so much is lost if the process dies.
const HAND_OVER_EVERY: Duration = Duration::from_secs(1);

/// At most so many result prefixes are counted, since invented ones could fill the memory.
const MOST_PREFIXES: usize = 1_000;

/// At most so many buckets are kept for a store that is down; those of the oldest hours are dropped first.
const MOST_PENDING: usize = 20_000;

/// The counters of one cache.
///
/// Counting is on the path of every request: a few atomic additions for a service, and a lookup in a map for a result
/// prefix. Everything else happens in a task.
pub(crate) struct Counters {
    http: Mutex<BTreeMap<ServiceName, Arc<Cells>>>,
    results: Mutex<HashMap<String, Counts>>,
    /// Something was counted since the last flush.
    has_news: AtomicBool,
    news: Notify,
    stop: Notify,
    /// Locked during a flush, so that deltas are sent in order.
    ledger: AsyncMutex<Ledger>,
}

/// What is to be flushed.
struct Ledger {
    process: Uuid,
    number: u64,
    /// Sent, but not acknowledged: it is sent unchanged until it is.
    under_way: Option<Batch>,
    pending: BTreeMap<(i64, Scope), Counts>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            http: Mutex::default(),
            results: Mutex::default(),
            has_news: AtomicBool::new(false),
            news: Notify::new(),
            stop: Notify::new(),
            ledger: AsyncMutex::new(Ledger {
                process: Uuid::new_v4(),
                number: 0,
                under_way: None,
                pending: BTreeMap::new(),
            }),
        }
    }
}

impl Counters {
    /// Adds to the counters of a scope.
    pub(crate) fn count(&self, scope: &Scope, happened: Counts) {
        match scope {
            Scope::Http(service) => self.cells(*service).add(&happened),
            Scope::Result(prefix) => {
                let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(counts) = results.get_mut(prefix) {
                    *counts += happened;
                } else if results.len() < MOST_PREFIXES {
                    results.insert(prefix.clone(), happened);
                }
            }
        }
        self.announce();
    }

    /// The counters of a service, for [`Self::add`].
    pub(crate) fn cells(&self, service: ServiceName) -> Arc<Cells> {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(http.entry(service).or_default())
    }

    /// Counts something that just happened, in [`Self::cells`] of this object.
    pub(crate) fn add(&self, cells: &Cells, happened: &Counts) {
        cells.add(happened);
        self.announce();
    }

    fn announce(&self) {
        // Only a read in most cases: the first change after a flush wakes the task.
        if !self.has_news.load(Ordering::SeqCst) && !self.has_news.swap(true, Ordering::SeqCst) {
            self.news.notify_one();
        }
    }

    /// Flushes a second after something was counted, until [`Self::stop`].
    pub(crate) async fn hand_over_until_stopped(self: Arc<Self>, store: Arc<Graceful>) {
        let forever = async {
            loop {
                self.news.notified().await;
                loop {
                    tokio::time::sleep(HAND_OVER_EVERY).await;
                    if self.hand_over(&store).await {
                        break;
                    }
                }
            }
        };
        tokio::select! {
            () = self.stop.notified() => {}
            () = forever => {}
        }
    }

    /// Ends [`Self::hand_over_until_stopped`]. The last flush is left to the caller.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Flushes everything that was counted until now. Returns `false` if the store failed: it is kept.
    pub(crate) async fn hand_over(&self, store: &Graceful) -> bool {
        let mut ledger = self.ledger.lock().await;
        let hour = hour_of(clock::now());
        self.collect(&mut ledger, hour);
        while let Some(batch) = ledger.next(hour) {
            let handed_over = store.ask("counting", |store| async move { store.add_stats(&batch).await }).await;
            if handed_over.is_none() {
                return false;
            }
            ledger.under_way = None;
        }
        true
    }

    /// Moves what was counted since the last call to the pending deltas.
    fn collect(&self, ledger: &mut Ledger, hour: i64) {
        // First: what is counted from here on is collected now, or sets the flag again.
        self.has_news.store(false, Ordering::SeqCst);
        let results = std::mem::take(&mut *self.results.lock().unwrap_or_else(PoisonError::into_inner));
        let http: Vec<_> = {
            let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
            http.iter().map(|(service, cells)| (Scope::Http(*service), cells.take())).collect()
        };
        for (scope, counts) in
            http.into_iter().chain(results.into_iter().map(|(prefix, counts)| (Scope::Result(prefix), counts)))
        {
            if counts != Counts::default() {
                *ledger.pending.entry((hour, scope)).or_default() += counts;
            }
        }
    }
}

impl Ledger {
    /// The next delta to send; `None`: there is none.
    fn next(&mut self, hour: i64) -> Option<Batch> {
        // A store drops older hours, with the numbers of their deltas.
        let oldest = hour - (KEPT / HOUR) as i64;
        self.under_way.take_if(|batch| batch.buckets.first().is_none_or(|bucket| bucket.hour < oldest));
        self.pending.retain(|(hour, _), _| *hour >= oldest);
        while self.pending.len() > MOST_PENDING {
            self.pending.pop_first();
        }
        if self.under_way.is_none() && !self.pending.is_empty() {
            self.number += 1;
            let buckets = std::mem::take(&mut self.pending).into_iter();
            let buckets = buckets.map(|((hour, scope), counts)| Bucket { hour, scope, counts }).collect();
            self.under_way = Some(Batch { process: self.process, number: self.number, buckets });
        }
        self.under_way.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use async_trait::async_trait;

    use super::*;
    use crate::error::{Error, Result};
    use crate::model::window::Counted;
    use crate::runtime::tasks::Tasks;
    use crate::store::memory::Memory;
    use crate::store::stub::{self, Stub};
    use crate::store::traits::StatsStore as _;

    /// A store in memory whose counters fail on demand.
    #[derive(Clone, Default)]
    struct Faulty {
        inner: Memory,
        asked: Arc<AtomicU64>,
        is_down: Arc<AtomicBool>,
        /// It counts, but answers with a failure.
        is_mute: Arc<AtomicBool>,
    }

    impl Faulty {
        fn failed<T>() -> Result<T> {
            Err(Error::Unavailable { backend: stub::id(), source: "switched off".into() })
        }

        async fn counted(&self) -> Counted {
            self.inner.stats(0.0).await.unwrap()
        }

        async fn hits(&self, scope: &Scope) -> u64 {
            let counted = self.counted().await;
            let by_hour: Counts = counted.hours.iter().filter(|b| b.scope == *scope).map(|b| b.counts).sum();
            assert_eq!(counted.ever.get(scope).copied().unwrap_or_default(), by_hour);
            by_hour.hits
        }
    }

    #[async_trait]
    impl Stub for Faulty {
        async fn add_stats(&self, batch: &Batch) -> Result<()> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.is_down.load(Ordering::SeqCst) {
                return Self::failed();
            }
            self.inner.add_stats(batch).await?;
            if self.is_mute.load(Ordering::SeqCst) { Self::failed() } else { Ok(()) }
        }
    }

    const OTHER: Scope = Scope::Http(ServiceName::OTHER);
    const HIT: Counts = Counts {
        hits: 1,
        misses: 0,
        stores: 0,
        revalidations: 0,
        stale: 0,
        errors: 0,
        waits: 0,
        bytes: 0,
        lookup_micros: 7,
    };

    fn result(prefix: &str) -> Scope {
        Scope::Result(prefix.to_owned())
    }

    struct Cache {
        counters: Arc<Counters>,
        store: Faulty,
        graceful: Arc<Graceful>,
    }

    /// Counters over a store, with a short timeout since the clock of the tests is paused.
    fn cache() -> Cache {
        let store = Faulty::default();
        let graceful = Arc::new(Graceful::new(Arc::new(store.clone()), Duration::from_millis(10), Tasks::new()));
        Cache { counters: Arc::default(), store, graceful }
    }

    impl Cache {
        #[expect(clippy::disallowed_methods, reason = "the task of the caches, without the caches")]
        fn start(&self) {
            tokio::spawn(Arc::clone(&self.counters).hand_over_until_stopped(Arc::clone(&self.graceful)));
        }
    }

    async fn pass(time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn counters_are_flushed_together_after_a_second() {
        let cache = cache();
        cache.start();
        for _ in 0..100 {
            cache.counters.count(&OTHER, HIT);
            cache.counters.count(&result("maps"), HIT);
        }
        pass(Duration::from_millis(990)).await;
        assert_eq!(cache.store.asked.load(Ordering::SeqCst), 0);
        pass(Duration::from_millis(20)).await;
        assert_eq!((cache.store.hits(&OTHER).await, cache.store.hits(&result("maps")).await), (100, 100));
        assert_eq!(cache.store.counted().await.ever[&OTHER].lookup_micros, 700);

        pass(Duration::from_secs(3_600)).await;
        assert_eq!(cache.store.asked.load(Ordering::SeqCst), 1);
        cache.counters.count(&OTHER, HIT);
        pass(Duration::from_secs(2)).await;
        assert_eq!(cache.store.hits(&OTHER).await, 101);
    }

    #[tokio::test(start_paused = true)]
    async fn unavailable_store_gets_all_counters_later() {
        let cache = cache();
        cache.start();
        cache.store.is_down.store(true, Ordering::SeqCst);
        for _ in 0..60 {
            cache.counters.count(&OTHER, HIT);
            pass(Duration::from_secs(1)).await;
        }
        assert_eq!(cache.store.hits(&OTHER).await, 0);
        cache.store.is_down.store(false, Ordering::SeqCst);
        pass(Duration::from_secs(60)).await;
        assert_eq!(cache.store.hits(&OTHER).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn unacknowledged_delta_is_not_counted_twice() {
        let cache = cache();
        cache.start();
        cache.store.is_mute.store(true, Ordering::SeqCst);
        cache.counters.count(&OTHER, HIT);
        pass(Duration::from_secs(5)).await;
        cache.counters.count(&OTHER, HIT);
        pass(Duration::from_secs(5)).await;
        assert!(cache.store.asked.load(Ordering::SeqCst) > 1);
        cache.store.is_mute.store(false, Ordering::SeqCst);
        pass(Duration::from_secs(60)).await;
        assert_eq!(cache.store.hits(&OTHER).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn last_flush_sends_the_rest() {
        let cache = cache();
        cache.counters.count(&OTHER, HIT);
        cache.counters.stop();
        Arc::clone(&cache.counters).hand_over_until_stopped(Arc::clone(&cache.graceful)).await;
        assert!(cache.counters.hand_over(&cache.graceful).await);
        assert_eq!(cache.store.hits(&OTHER).await, 1);
    }

    #[test]
    fn pending_deltas_are_bounded() {
        let counters = Counters::default();
        let mut ledger = counters.ledger.try_lock().unwrap();
        for hour in 0..30 {
            for prefix in 0..2 * MOST_PREFIXES {
                counters.count(&result(&prefix.to_string()), HIT);
            }
            counters.collect(&mut ledger, hour);
            assert_eq!(ledger.next(hour).unwrap().number, 1);
        }
        let hours: Vec<i64> = ledger.pending.keys().map(|(hour, _)| *hour).collect();
        assert_eq!((hours.len(), hours[0], hours[hours.len() - 1]), (MOST_PENDING, 10, 29));
        // Hours that a store has dropped are not sent.
        assert_eq!(ledger.next(200), None);
    }

    #[test]
    fn counting_from_many_threads_loses_nothing() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        counters.count(&OTHER, HIT);
                        counters.count(&result("p"), HIT);
                    }
                });
            }
        });
        let mut ledger = counters.ledger.try_lock().unwrap();
        counters.collect(&mut ledger, 1);
        let hits: Vec<u64> = ledger.pending.values().map(|counts| counts.hits).collect();
        assert_eq!(hits, [40_000, 40_000]);
    }
}
