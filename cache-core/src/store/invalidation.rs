//! TODO

/// Who is told of changes that others make in a store.
pub trait Changes: Send + Sync + 'static {
    /// From now on every change is told; what was kept before may be stale.
    fn are_told(&self);

    /// Until told otherwise, changes may go untold.
    fn are_not_told(&self);

    /// Changes are never told, and nobody waits for that.
    fn only_its_time_counts(&self);

    /// What is under a Redis key was changed or removed.
    fn of_key(&self, key: &[u8]);

    /// Everything was removed.
    fn of_everything(&self);
}
