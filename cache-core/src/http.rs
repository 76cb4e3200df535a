//! The HTTP cache: a policy, a store, and somebody who sends what they cannot answer.

use crate::cache::Hold;
use crate::service::Service;

/// The HTTP client of one service, through the cache.
#[derive(Clone)]
pub struct CachedClient {
    #[expect(dead_code, reason = "requests come next")]
    core: Hold,
    #[expect(dead_code, reason = "requests come next")]
    service: Service,
}

impl CachedClient {
    pub(crate) fn new(core: Hold, service: Service) -> Self {
        Self { core, service }
    }
}
