//! [`EventFeed`]: a stream of cache events.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::event::{EventSource, Observation};

/// A stream of cache events. Server settings are restored when it is closed or dropped; [`EventFeed::close`] reports
/// failures.
#[async_trait]
pub trait EventFeed: Send {
    /// The source of the events.
    fn source(&self) -> EventSource;

    /// When the feed began, in Unix seconds.
    fn since(&self) -> f64;

    /// The server's `notify-keyspace-events` before the feed changed it, and while it lasts; `None`: unchanged.
    fn changed_setting(&self) -> Option<(&str, &str)>;

    /// The next observation; `None`: the feed has ended. Cancel-safe.
    ///
    /// # Errors
    /// If the feed cannot continue, as when notifications were turned off.
    async fn next(&mut self) -> Option<Result<Observation>>;

    /// Stops the feed: observations so far are still returned by [`EventFeed::next`].
    fn stop(&mut self);

    /// Closes the feed and restores the server's setting.
    ///
    /// # Errors
    /// If the setting cannot be restored.
    async fn close(self: Box<Self>) -> Result<()>;
}
