//! Telling of what others change: Redis' client tracking, on the very connection that reads and writes.
//!
//! On the same connection news come in order with answers, and of what we change ourselves (`NOLOOP`) there are none: a
//! hit that extends its entry's time must not count as a change.

use std::sync::{Arc, Weak};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind, RedisResult, Value, cmd};

use crate::model::key::{HTTP_PREFIX, RESULT_PREFIX};
use crate::store::invalidation::Changes;
use crate::store::redis::connection::{Connection, Inner};
use crate::store::redis::driver_error::{is_broken, is_temporary};

impl Connection {
    /// Tells `changes` of what others change, whenever there is a connection that says so. One listener is enough.
    pub(crate) fn tell(&self, changes: Arc<dyn Changes>) -> bool {
        let is_first = self.0.changes.set(changes).is_ok();
        if is_first {
            // The connection in use is not tracked: the next one is.
            self.drop_connection();
        }
        is_first
    }

    pub(crate) fn are_not_told(&self) {
        if let Some(changes) = self.0.changes.get() {
            changes.are_not_told();
        }
    }

    /// What the connection of this number needs to tell whoever is to be told.
    pub(crate) fn tracking(&self, number: u64) -> Option<Tracking> {
        let changes = Arc::clone(self.0.changes.get()?);
        Some(Tracking { number, inner: Arc::downgrade(&self.0), changes })
    }
}

/// How a connection is made that tells of changes.
pub(crate) struct Tracking {
    number: u64,
    inner: Weak<Inner>,
    changes: Arc<dyn Changes>,
}

impl Tracking {
    /// A connection with tracking, or without it where the server knows none.
    pub(crate) async fn connect(
        self,
        client: &Client,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let changes = Arc::clone(&self.changes);
        match self.try_connect(client, config.clone()).await {
            Ok(connection) => {
                changes.are_told();
                Ok(connection)
            }
            Err(error) if is_broken(&error) || is_temporary(&error) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "client-side tracking unavailable");
                changes.only_its_time_counts();
                client.get_multiplexed_async_connection_with_config(&config).await
            }
        }
    }

    async fn try_connect(self, client: &Client, config: AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let info = client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        let config = config.set_push_sender(move |news: PushInfo| {
            self.hear(&news);
            Ok::<(), std::convert::Infallible>(())
        });
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let (http, results) = (format!("{HTTP_PREFIX}:"), format!("{RESULT_PREFIX}:"));
        let mut track = cmd("CLIENT");
        track.arg(&["TRACKING", "ON", "BCAST", "NOLOOP", "PREFIX", &http, "PREFIX", &results]);
        track.exec_async(&mut connection).await?;
        Ok(connection)
    }

    /// Called by the connection itself, between two answers.
    fn hear(&self, news: &PushInfo) {
        match (&news.kind, news.data.first()) {
            (PushKind::Disconnection, _) => {
                if let Some(inner) = self.inner.upgrade() {
                    Connection(inner).has_ended(self.number);
                }
            }
            (PushKind::Invalidate, Some(Value::Array(keys))) => {
                for key in keys {
                    if let Value::BulkString(key) = key {
                        self.changes.of_key(key);
                    }
                }
            }
            // Everything was flushed.
            (PushKind::Invalidate, _) => self.changes.of_everything(),
            _ => {}
        }
    }
}
