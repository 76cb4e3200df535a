//! Counting in this process, and flushing the counts to the store in the background.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify};
use uuid::Uuid;

use crate::clock;
use crate::model::service::ServiceName;
use crate::model::stats::{Counters, HOUR, HourlyCounters, RETENTION, Scope, StatsDelta, hour_of};
use crate::runtime::guarded_store::GuardedStore;
use crate::runtime::stats_cells::CounterCells;

/// The shortest interval between two flushes: counts of this duration are lost if the process dies.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum number of counted result prefixes, since generated ones could fill the memory.
const MAX_PREFIXES: usize = 1_000;

/// The maximum number of buckets kept while the store is down; those of the oldest hours are dropped first.
const MAX_PENDING: usize = 20_000;

/// The counters of one cache.
///
/// Counting is on the path of every request: a few atomic additions for a service, and a lookup in a map for a result
/// prefix. Everything else happens in a task.
pub(crate) struct StatsRecorder {
    http: Mutex<BTreeMap<ServiceName, Arc<CounterCells>>>,
    results: Mutex<HashMap<String, Counters>>,
    /// Something was counted since the last flush.
    is_dirty: AtomicBool,
    wakeup: Notify,
    stop: Notify,
    /// Locked during a flush, so that deltas are sent in order.
    deltas: AsyncMutex<PendingDeltas>,
}

/// Counts to flush.
struct PendingDeltas {
    process: Uuid,
    number: u64,
    /// Sent, but not acknowledged: it is sent unchanged until it is.
    in_flight: Option<StatsDelta>,
    pending: BTreeMap<(i64, Scope), Counters>,
}

impl Default for StatsRecorder {
    fn default() -> Self {
        Self {
            http: Mutex::default(),
            results: Mutex::default(),
            is_dirty: AtomicBool::new(false),
            wakeup: Notify::new(),
            stop: Notify::new(),
            deltas: AsyncMutex::new(PendingDeltas {
                process: Uuid::new_v4(),
                number: 0,
                in_flight: None,
                pending: BTreeMap::new(),
            }),
        }
    }
}

impl StatsRecorder {
    /// Adds to the counters of a scope.
    pub(crate) fn count(&self, scope: &Scope, happened: Counters) {
        match scope {
            Scope::Http(service) => self.cells(*service).add(&happened),
            Scope::Result(prefix) => {
                let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(counts) = results.get_mut(prefix) {
                    *counts += happened;
                } else if results.len() < MAX_PREFIXES {
                    results.insert(prefix.clone(), happened);
                }
            }
        }
        self.announce();
    }

    /// The counters of a service, for [`Self::add`].
    pub(crate) fn cells(&self, service: ServiceName) -> Arc<CounterCells> {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(http.entry(service).or_default())
    }

    /// Counts an event of the present hour, in [`Self::cells`] of this object.
    pub(crate) fn add(&self, cells: &CounterCells, happened: &Counters) {
        cells.add(happened);
        self.announce();
    }

    fn announce(&self) {
        // Only a read in most cases: the first change after a flush wakes the task.
        if !self.is_dirty.load(Ordering::SeqCst) && !self.is_dirty.swap(true, Ordering::SeqCst) {
            self.wakeup.notify_one();
        }
    }

    /// Flushes a second after something was counted, until [`Self::stop`].
    pub(crate) async fn run(self: Arc<Self>, store: Arc<GuardedStore>) {
        let forever = async {
            loop {
                self.wakeup.notified().await;
                loop {
                    tokio::time::sleep(FLUSH_INTERVAL).await;
                    if self.flush(&store).await {
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

    /// Stops [`Self::run`]. The last flush is left to the caller.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Flushes all counts. Returns `false` if the store failed: the counts are kept.
    pub(crate) async fn flush(&self, store: &GuardedStore) -> bool {
        let mut ledger = self.deltas.lock().await;
        let hour = hour_of(clock::now());
        self.collect(&mut ledger, hour);
        while let Some(batch) = ledger.next(hour) {
            let handed_over = store.call("counting", |store| async move { store.add_stats(&batch).await }).await;
            if handed_over.is_none() {
                return false;
            }
            ledger.in_flight = None;
        }
        true
    }

    /// Moves the counts since the last call to the pending deltas.
    fn collect(&self, ledger: &mut PendingDeltas, hour: i64) {
        // Cleared before reading: later counts are collected now, or set the flag again.
        self.is_dirty.store(false, Ordering::SeqCst);
        let results = std::mem::take(&mut *self.results.lock().unwrap_or_else(PoisonError::into_inner));
        let http: Vec<_> = {
            let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
            http.iter().map(|(service, cells)| (Scope::Http(*service), cells.take())).collect()
        };
        for (scope, counts) in
            http.into_iter().chain(results.into_iter().map(|(prefix, counts)| (Scope::Result(prefix), counts)))
        {
            if counts != Counters::default() {
                *ledger.pending.entry((hour, scope)).or_default() += counts;
            }
        }
    }
}

impl PendingDeltas {
    /// The next delta to send, if there is one.
    fn next(&mut self, hour: i64) -> Option<StatsDelta> {
        // A store drops older hours, with the numbers of their deltas.
        let oldest = hour - (RETENTION / HOUR) as i64;
        self.in_flight.take_if(|batch| batch.buckets.first().is_none_or(|bucket| bucket.hour < oldest));
        self.pending.retain(|(hour, _), _| *hour >= oldest);
        while self.pending.len() > MAX_PENDING {
            self.pending.pop_first();
        }
        if self.in_flight.is_none() && !self.pending.is_empty() {
            self.number += 1;
            let buckets = std::mem::take(&mut self.pending).into_iter();
            let buckets = buckets.map(|((hour, scope), counts)| HourlyCounters { hour, scope, counts }).collect();
            self.in_flight = Some(StatsDelta { process: self.process, number: self.number, buckets });
        }
        self.in_flight.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use async_trait::async_trait;

    use super::*;
    use crate::error::{Error, Result};
    use crate::model::window::StatsSnapshot;
    use crate::runtime::tasks::TaskGroup;
    use crate::store::memory::Memory;
    use crate::store::stub::{self, Stub};
    use crate::store::traits::StatsStore as _;

    /// A store in memory that fails to add counters on demand.
    #[derive(Clone, Default)]
    struct Faulty {
        inner: Memory,
        asked: Arc<AtomicU64>,
        is_down: Arc<AtomicBool>,
        /// It adds the counters, but returns a failure.
        is_mute: Arc<AtomicBool>,
    }

    impl Faulty {
        fn failed<T>() -> Result<T> {
            Err(Error::Unavailable { backend: stub::id(), source: "switched off".into() })
        }

        async fn counted(&self) -> StatsSnapshot {
            self.inner.stats(0.0).await.unwrap()
        }

        async fn hits(&self, scope: &Scope) -> u64 {
            let counted = self.counted().await;
            let by_hour: Counters = counted.hours.iter().filter(|b| b.scope == *scope).map(|b| b.counts).sum();
            assert_eq!(counted.ever.get(scope).copied().unwrap_or_default(), by_hour);
            by_hour.hits
        }
    }

    #[async_trait]
    impl Stub for Faulty {
        async fn add_stats(&self, batch: &StatsDelta) -> Result<()> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.is_down.load(Ordering::SeqCst) {
                return Self::failed();
            }
            self.inner.add_stats(batch).await?;
            if self.is_mute.load(Ordering::SeqCst) { Self::failed() } else { Ok(()) }
        }
    }

    const OTHER: Scope = Scope::Http(ServiceName::OTHER);
    const HIT: Counters = Counters {
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
        counters: Arc<StatsRecorder>,
        store: Faulty,
        graceful: Arc<GuardedStore>,
    }

    /// Counters over a store, with a short timeout since the clock of the tests is paused.
    fn cache() -> Cache {
        let store = Faulty::default();
        let graceful =
            Arc::new(GuardedStore::new(Arc::new(store.clone()), Duration::from_millis(10), TaskGroup::new()));
        Cache { counters: Arc::default(), store, graceful }
    }

    impl Cache {
        #[expect(clippy::disallowed_methods, reason = "the task of the caches, without the caches")]
        fn start(&self) {
            tokio::spawn(Arc::clone(&self.counters).run(Arc::clone(&self.graceful)));
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
        Arc::clone(&cache.counters).run(Arc::clone(&cache.graceful)).await;
        assert!(cache.counters.flush(&cache.graceful).await);
        assert_eq!(cache.store.hits(&OTHER).await, 1);
    }

    #[test]
    fn pending_deltas_are_bounded() {
        let counters = StatsRecorder::default();
        let mut ledger = counters.deltas.try_lock().unwrap();
        for hour in 0..30 {
            for prefix in 0..2 * MAX_PREFIXES {
                counters.count(&result(&prefix.to_string()), HIT);
            }
            counters.collect(&mut ledger, hour);
            assert_eq!(ledger.next(hour).unwrap().number, 1);
        }
        let hours: Vec<i64> = ledger.pending.keys().map(|(hour, _)| *hour).collect();
        assert_eq!((hours.len(), hours[0], hours[hours.len() - 1]), (MAX_PENDING, 10, 29));
        // Hours that a store has dropped are not sent.
        assert_eq!(ledger.next(200), None);
    }

    #[test]
    fn counting_from_many_threads_loses_nothing() {
        let counters = StatsRecorder::default();
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
        let mut ledger = counters.deltas.try_lock().unwrap();
        counters.collect(&mut ledger, 1);
        let hits: Vec<u64> = ledger.pending.values().map(|counts| counts.hits).collect();
        assert_eq!(hits, [40_000, 40_000]);
    }
}
