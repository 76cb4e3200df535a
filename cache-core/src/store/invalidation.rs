//! Changes that others make in a store, as a cache in memory has to know them.

/// Receives the changes that others make in a store.
pub trait InvalidationListener: Send + Sync + 'static {
    /// From now on every change is reported; what was kept before may be stale.
    fn on_connected(&self);

    /// Until [`Self::on_connected`], changes may go unreported.
    fn on_disconnected(&self);

    /// The server supports no client-side caching: no change will ever be reported. Entries are bounded by their time
    /// alone.
    fn on_unsupported(&self);

    /// The value of a Redis key was changed or removed.
    fn on_invalidate(&self, key: &[u8]);

    /// Everything was removed.
    fn on_invalidate_all(&self);
}
