//! What every step of a request needs: the cache of one service, without its callers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::error::chain;
use crate::http::cache_status::{Served, ServedFrom};
use crate::http::plan::Plan;
use crate::http::response::Fetched;
use crate::model::entry::Request;
use crate::model::key::CacheKey;
use crate::model::service::ServiceName;
use crate::model::stats::Counts;
use crate::policy::dispatch::Policy;
use crate::runtime::guarded_store::Graceful;
use crate::runtime::shared::{Core, Usage};
use crate::runtime::stats_cells::Cells;
use crate::transport::traits::Sender;

/// Passed to every step. Background tasks hold it without a handle of the cache, so that they do not keep it open.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) core: Arc<Core>,
    pub(crate) service: ServiceName,
    /// The TTL of the service.
    pub(crate) ttl: Duration,
    pub(crate) cells: Arc<Cells>,
    pub(crate) policy: Policy,
    pub(crate) sender: Arc<dyn Sender>,
    pub(crate) usage: Usage,
}

impl Context {
    pub(crate) fn new(core: Arc<Core>, service: ServiceName, sender: Arc<dyn Sender>) -> Self {
        let profile = core.services.get(service);
        let (policy, ttl) = (Policy::of(profile.policy, profile.ttl), profile.ttl);
        let cells = core.counters.cells(service);
        Self { core, service, ttl, cells, policy, sender, usage: Usage::Full }
    }

    pub(crate) fn count(&self, happened: Counts) {
        self.core.counters.add(&self.cells, &happened);
    }

    /// The store; its failures are logged and counted as those of this service and key.
    pub(crate) fn store(&self, key: &CacheKey) -> Graceful {
        let (service, key) = (self.service, key.clone());
        let (counters, cells) = (Arc::clone(&self.core.counters), Arc::clone(&self.cells));
        self.core.store.telling(move |operation, time, error| {
            let seconds = time.as_secs_f64();
            tracing::warn!(%service, %key, operation, seconds, error = chain(error), "error");
            counters.add(&cells, &Counts { errors: 1, ..Counts::default() });
        })
    }

    /// Whether stored responses may be served.
    pub(crate) fn may_serve_stored(&self) -> bool {
        self.usage == Usage::Full
    }

    /// Counts and logs a miss. `fetched_in`: the time of the origin, in seconds.
    pub(crate) fn record_miss(&self, plan: &Plan, fetched_in: Option<f64>) {
        if plan.is_counted() {
            self.count(Counts { misses: 1, ..Counts::default() });
        }
        let seconds = plan.started.elapsed().as_secs_f64();
        tracing::debug!(service = %self.service, key = %plan.key, seconds, fetched_in, "miss");
    }

    /// RFC 9111, 5.2.1.7: the response to `only-if-cached` where nothing suitable is stored.
    pub(crate) fn gateway_timeout(&self, plan: &Plan) -> Fetched {
        self.record_miss(plan, None);
        let served = Served::by_origin(ServedFrom::Miss, plan.key.clone());
        Fetched::new(StatusCode::GATEWAY_TIMEOUT, HeaderMap::new().into(), served, Bytes::new().into())
    }
}

/// The TTL that a request sets for its own response (`X-Hishel-Ttl`).
pub(crate) fn own_ttl(request: &Request) -> Option<Duration> {
    Duration::try_from_secs_f64(request.extra.ttl()?).ok()
}
