//! [`delegate_to`]: store traits implemented by delegating to another store.

/// Implements store traits by delegating every method to another store, which an expression names:
/// `delegate_to!(MemoryTier, |this| this.store; LeaseStore, StatsStore);`.
macro_rules! delegate_to {
    ($type:ty, |$this:ident| $to:expr; $($trait:ident),+ $(,)?) => {
        $(delegate_to!(@$trait $type, $this, $to);)+
    };
    (@Backend $type:ty, $this:ident, $to:expr) => {
        #[async_trait::async_trait]
        impl $crate::Backend for $type {
            fn id(&self) -> $crate::BackendId {
                let $this = self;
                $to.id()
            }

            async fn health(&self) -> $crate::Health {
                let $this = self;
                $to.health().await
            }
        }
    };
    (@GenerationStore $type:ty, $this:ident, $to:expr) => {
        #[async_trait::async_trait]
        impl $crate::GenerationStore for $type {
            async fn generation(&self, key: &[u8]) -> $crate::Result<$crate::Generation> {
                let $this = self;
                $to.generation(key).await
            }

            async fn raise_generation(&self, key: Option<&[u8]>) -> $crate::Result<()> {
                let $this = self;
                $to.raise_generation(key).await
            }
        }
    };
    (@LeaseStore $type:ty, $this:ident, $to:expr) => {
        #[async_trait::async_trait]
        impl $crate::LeaseStore for $type {
            async fn acquire(
                &self,
                name: &str,
                owner: uuid::Uuid,
                ttl: std::time::Duration,
            ) -> $crate::Result<$crate::LeaseState> {
                let $this = self;
                $to.acquire(name, owner, ttl).await
            }

            async fn release(
                &self,
                name: &str,
                owner: uuid::Uuid,
                uncacheable_for: Option<std::time::Duration>,
            ) -> $crate::Result<()> {
                let $this = self;
                $to.release(name, owner, uncacheable_for).await
            }
        }
    };
    (@RateLimitStore $type:ty, $this:ident, $to:expr) => {
        #[async_trait::async_trait]
        impl $crate::RateLimitStore for $type {
            async fn acquire_slot(
                &self,
                name: &str,
                limit: &$crate::RateLimit,
                max_wait: std::time::Duration,
            ) -> $crate::Result<std::time::Duration> {
                let $this = self;
                $to.acquire_slot(name, limit, max_wait).await
            }

            async fn block(&self, name: &str, time: std::time::Duration) -> $crate::Result<()> {
                let $this = self;
                $to.block(name, time).await
            }
        }
    };
    (@StatsStore $type:ty, $this:ident, $to:expr) => {
        #[async_trait::async_trait]
        impl $crate::StatsStore for $type {
            async fn add_stats(&self, delta: &$crate::StatsDelta) -> $crate::Result<()> {
                let $this = self;
                $to.add_stats(delta).await
            }

            async fn stats(&self, since: f64) -> $crate::Result<$crate::StatsSnapshot> {
                let $this = self;
                $to.stats(since).await
            }
        }
    };
    (@Store $type:ty, $this:ident, $to:expr) => {
        impl $crate::Store for $type {
            fn subscribe(&self, listener: std::sync::Arc<dyn $crate::InvalidationListener>) -> bool {
                let $this = self;
                $to.subscribe(listener)
            }
        }
    };
}
