//! The state that both caches share, and the handles that keep it alive.

use std::ops::Deref;
use std::sync::Arc;

use crate::model::service::ServiceRegistry;
use crate::runtime::guarded_store::GuardedStore;
use crate::runtime::removals::Removals;
use crate::runtime::single_flight::SingleFlight;
use crate::runtime::stats_recorder::StatsRecorder;
use crate::runtime::tasks::TaskGroup;
#[cfg(feature = "reqwest")]
use crate::transport::shared::SharedTransports;

/// A program's handle of its cache: dropping the last one ends the background tasks, which hold [`CacheShared`] only.
#[derive(Clone)]
pub(crate) struct CacheHandle(pub(crate) Arc<ShutdownGuard>);

pub(crate) struct ShutdownGuard(pub(crate) Arc<CacheShared>);

impl Deref for CacheHandle {
    type Target = Arc<CacheShared>;

    fn deref(&self) -> &Arc<CacheShared> {
        &self.0.0
    }
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.0.tasks.end();
    }
}

/// How a handle uses the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheMode {
    Default,
    /// Stored responses and results are ignored and replaced.
    Reload,
    /// The cache is neither read nor written.
    NoStore,
}

/// The state that the HTTP cache and the result cache share.
pub(crate) struct CacheShared {
    pub(crate) store: Arc<GuardedStore>,
    pub(crate) single_flight: SingleFlight,
    pub(crate) removals: Removals,
    pub(crate) stats: Arc<StatsRecorder>,
    pub(crate) tasks: TaskGroup,
    #[cfg(feature = "reqwest")]
    pub(crate) transports: SharedTransports,
    pub(crate) services: ServiceRegistry,
    /// Whether the cache is enabled. If not, nothing is looked up or stored.
    pub(crate) is_enabled: bool,
    /// The largest body to store, in bytes.
    pub(crate) largest_entry: u64,
}
