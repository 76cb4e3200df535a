//! The pipeline's policy for every service.

use cache_core::{PolicyKind, ServiceName, ServiceRegistry};

/// No registered service; all have the pipeline's policy.
pub fn fixed_ttl() -> ServiceRegistry {
    let mut services = ServiceRegistry::default();
    services.get_mut(ServiceName::OTHER).policy = PolicyKind::FixedTtl;
    services.get_mut(ServiceName::OTHER).is_shared_by_all = true;
    services
}
