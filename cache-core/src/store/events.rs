//! A feed of what all clients of a storage do with a cache.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::event::{EventSource, Observation};

/// What happens in a cache, as it happens. Ends when it is dropped; a setting of the server that was changed is then
/// restored, for which [`EventFeed::close`] is the better way.
#[async_trait]
pub trait EventFeed: Send {
    /// What the events are derived from.
    fn source(&self) -> EventSource;

    /// When the feed began, in Unix seconds.
    fn since(&self) -> f64;

    /// The server's `notify-keyspace-events` before the feed changed it, and while it lasts; `None`: unchanged.
    fn changed_setting(&self) -> Option<(&str, &str)>;

    /// The next observation; `None`: the feed has ended. A call that is canceled loses nothing.
    ///
    /// Fails where the feed cannot go on, as when notifications were turned off.
    async fn next(&mut self) -> Option<Result<Observation>>;

    /// Ends the feed: what was observed and not returned yet still comes from [`EventFeed::next`].
    fn stop(&mut self);

    /// Ends the feed and restores the server's setting; fails where that is not possible.
    async fn close(self: Box<Self>) -> Result<()>;
}
