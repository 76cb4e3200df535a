//! [`delegate_to`]: store traits implemented by delegating to another store.

/// Implements store traits by delegating every method to another store, which an expression names:
/// `delegate_to!(MemoryTier, |this| this.store; LeaseStore, StatsStore);`. The expression may return early with an
/// error (`?`), except for `Backend` and `Store`.
#[doc(hidden)]
#[macro_export]
macro_rules! delegate_to {
    ($type:ty, |$this:ident| $to:expr; $($trait:ident),+ $(,)?) => {
        $($crate::delegate_to!(@$trait $type, $this, $to);)+
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
    (@ResponseStore $type:ty, $this:ident, $to:expr) => {
        #[async_trait::async_trait]
        impl $crate::ResponseStore for $type {
            async fn lookup(
                &self,
                key: &$crate::CacheKey,
                renew: Option<std::time::Duration>,
            ) -> $crate::Result<Vec<$crate::StoredResponse>> {
                let $this = self;
                $to.lookup(key, renew).await
            }

            async fn insert(
                &self,
                entry: $crate::Entry,
                ttl: Option<std::time::Duration>,
            ) -> $crate::Result<Box<dyn $crate::ResponseWriter>> {
                let $this = self;
                $to.insert(entry, ttl).await
            }

            async fn body(&self, id: &$crate::EntryId) -> $crate::Result<Option<$crate::StoredBody>> {
                let $this = self;
                $to.body(id).await
            }

            async fn update_head(&self, id: &$crate::EntryId, entry: &$crate::Entry) -> $crate::Result<bool> {
                let $this = self;
                $to.update_head(id, entry).await
            }

            async fn expire(
                &self,
                ids: &[$crate::EntryId],
                ttl: Option<std::time::Duration>,
            ) -> $crate::Result<u64> {
                let $this = self;
                $to.expire(ids, ttl).await
            }

            async fn remove(&self, ids: &[$crate::EntryId]) -> $crate::Result<$crate::RemoveStats> {
                let $this = self;
                $to.remove(ids).await
            }
        }
    };
    (@ResultStore $type:ty, $this:ident, $to:expr) => {
        #[async_trait::async_trait]
        impl $crate::ResultStore for $type {
            async fn get(&self, key: &str) -> $crate::Result<Option<$crate::StoredResult>> {
                let $this = self;
                $to.get(key).await
            }

            async fn set(&self, key: &str, value: bytes::Bytes, ttl: std::time::Duration) -> $crate::Result<()> {
                let $this = self;
                $to.set(key, value, ttl).await
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
