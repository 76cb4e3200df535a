//! TODO

use std::ops::Deref;
use std::sync::Arc;

use crate::model::service::ServiceRegistry;
use crate::runtime::guarded_store::Graceful;
use crate::runtime::single_flight::Flights;
use crate::runtime::stats_recorder::Counters;
use crate::runtime::tasks::Tasks;
use crate::transport::shared::Senders;

/// A program's hold on its cache: when the last one is gone, the cache's tasks end. The tasks themselves hold the
/// [`Core`] alone.
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

/// What a handle uses of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    Full,
    /// Nothing that is stored answers, but answers are stored.
    Anew,
    /// Nothing: it neither answers nor stores.
    Bypassed,
}

/// What both caches stand on.
pub(crate) struct Core {
    pub(crate) store: Arc<Graceful>,
    pub(crate) flights: Flights,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tasks: Tasks,
    pub(crate) senders: Senders,
    pub(crate) services: ServiceRegistry,
    /// Off: nothing is looked up and nothing stored.
    pub(crate) is_enabled: bool,
    /// Larger bodies are not stored; bytes.
    pub(crate) largest_entry: u64,
}
