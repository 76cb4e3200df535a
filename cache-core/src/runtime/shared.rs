//! What both caches share, and the handles that keep it alive.

use std::ops::Deref;
use std::sync::Arc;

use crate::model::service::ServiceRegistry;
use crate::runtime::guarded_store::Graceful;
use crate::runtime::single_flight::Flights;
use crate::runtime::stats_recorder::Counters;
use crate::runtime::tasks::Tasks;
use crate::transport::shared::Senders;

/// A handle of a program to its cache: dropping the last one ends the background tasks, which hold [`Core`] only.
#[derive(Clone)]
pub(crate) struct Hold(pub(crate) Arc<EndTasks>);

pub(crate) struct EndTasks(pub(crate) Arc<Core>);

impl Deref for Hold {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.0.0
    }
}

impl Drop for EndTasks {
    fn drop(&mut self) {
        self.0.tasks.end();
    }
}

/// How a handle uses the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Full,
    /// Stored responses and results are ignored and replaced.
    Anew,
    /// The cache is neither read nor written.
    Bypassed,
}

/// What the HTTP cache and the result cache share.
pub(crate) struct Core {
    pub(crate) store: Arc<Graceful>,
    pub(crate) flights: Flights,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tasks: Tasks,
    pub(crate) senders: Senders,
    pub(crate) services: ServiceRegistry,
    /// If not, nothing is looked up or stored.
    pub(crate) is_enabled: bool,
    /// The largest body to store, in bytes.
    pub(crate) largest_entry: u64,
}
