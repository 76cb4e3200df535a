//! [`Context`]: the state of a service's HTTP cache that every step of a request needs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::error::error_chain;
use crate::http::cache_status::{CacheOutcome, CacheStatus};
use crate::http::plan::RequestPlan;
use crate::http::response::CachedResponse;
use crate::model::entry::{EntryId, Request};
use crate::model::generation::Generation;
use crate::model::key::CacheKey;
use crate::model::service::ServiceName;
use crate::model::stats::Counters;
use crate::policy::dispatch::Policy;
use crate::policy::fixed_ttl::FixedTtl;
use crate::runtime::guarded_store::GuardedStore;
use crate::runtime::shared::{CacheMode, CacheShared};
use crate::runtime::stats_cells::CounterCells;
use crate::transport::traits::Transport;

/// Passed to every step. Background tasks hold it instead of a handle, so that they do not keep the cache open.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) core: Arc<CacheShared>,
    pub(crate) service: ServiceName,
    pub(crate) cells: Arc<CounterCells>,
    pub(crate) policy: Policy,
    /// The policy of requests that ignore RFC 9111.
    pub(crate) fixed_ttl: FixedTtl,
    pub(crate) sender: Arc<dyn Transport>,
    pub(crate) usage: CacheMode,
}

impl Context {
    pub(crate) fn new(core: Arc<CacheShared>, service: ServiceName, transport: Arc<dyn Transport>) -> Self {
        let profile = core.services.get(service);
        let policy = Policy::of(profile);
        let fixed_ttl = FixedTtl { refresh_on_access: false, ..FixedTtl::of(profile) };
        let cells = core.stats.cells(service);
        Self { core, service, cells, policy, fixed_ttl, sender: transport, usage: CacheMode::Default }
    }

    pub(crate) fn count(&self, happened: Counters) {
        self.core.stats.add(&self.cells, &happened);
    }

    /// The store; its failures are logged and counted as those of this service and key.
    pub(crate) fn store(&self, key: &CacheKey) -> GuardedStore {
        let (service, key) = (self.service, key.clone());
        let (counters, cells) = (Arc::clone(&self.core.stats), Arc::clone(&self.cells));
        self.core.store.with_failure_hook(move |operation, time, error| {
            let seconds = time.as_secs_f64();
            tracing::warn!(%service, %key, operation, seconds, error = error_chain(error), "error");
            counters.add(&cells, &Counters { errors: 1, ..Counters::default() });
        })
    }

    /// The generation of a key, to be read before a response is requested that is to be stored under it. `None`: the
    /// store does not respond.
    pub(crate) async fn generation(&self, key: &CacheKey) -> Option<Generation> {
        self.store(key).call("generation", |store| async move { store.generation(key.as_bytes()).await }).await
    }

    /// Removes entries under a key, now or as soon as the store responds.
    pub(crate) async fn remove(&self, key: &CacheKey, ids: Vec<EntryId>) {
        self.core.removals.remove(self.store(key), key, ids).await;
    }

    /// Whether stored responses may be served.
    pub(crate) fn may_serve_stored(&self) -> bool {
        self.usage == CacheMode::Default
    }

    /// Counts and logs a miss. `fetched_in`: the time of the origin, in seconds.
    pub(crate) fn record_miss(&self, plan: &RequestPlan, fetched_in: Option<f64>) {
        if plan.is_counted() {
            self.count(Counters { misses: 1, ..Counters::default() });
        }
        let seconds = plan.started.elapsed().as_secs_f64();
        tracing::debug!(service = %self.service, key = %plan.key, seconds, fetched_in, "miss");
    }

    /// RFC 9111, 5.2.1.7: the response to `only-if-cached` where nothing suitable is stored.
    pub(crate) fn gateway_timeout(&self, plan: &RequestPlan) -> CachedResponse {
        self.record_miss(plan, None);
        let served = CacheStatus::by_origin(CacheOutcome::Miss, plan.key.clone());
        CachedResponse::new(StatusCode::GATEWAY_TIMEOUT, HeaderMap::new().into(), served, Bytes::new().into())
    }
}

/// The TTL that a request sets for its own response ([`crate::Overrides::ttl`], `hishel_ttl`).
pub(crate) fn own_ttl(request: &Request) -> Option<Duration> {
    Duration::try_from_secs_f64(request.extra.ttl()?).ok()
}
