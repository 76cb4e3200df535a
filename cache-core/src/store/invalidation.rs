//! [`InvalidationListener`]: notifications of changes by other clients.

/// Receives the changes that other clients make in a store.
pub trait InvalidationListener: Send + Sync + 'static {
    /// From now on every change is reported; values read before may be stale.
    fn on_connected(&self);

    /// Until [`Self::on_connected`], changes may go unreported.
    fn on_disconnected(&self);

    /// The server supports no client-side caching: no invalidation messages will ever arrive. Entries are bounded by
    /// their time alone.
    fn on_unsupported(&self);

    /// The value of a Redis key was changed or deleted.
    fn on_invalidate(&self, key: &[u8]);

    /// Everything was deleted.
    fn on_invalidate_all(&self);
}
