//! Client-side caching of Redis (`CLIENT TRACKING`), on the same connection that reads and writes.
//!
//! On one connection invalidations come in order with replies, and changes of this program cause none (`NOLOOP`): a hit
//! that renews its entry's TTL must not count as a change.

use std::sync::{Arc, Weak};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind, RedisResult, Value, cmd};

use crate::model::key::{HTTP_PREFIX, RESULT_PREFIX};
use crate::store::invalidation::InvalidationListener;
use crate::store::redis::driver_error::{is_broken, is_temporary};

/// Observes the end of a connection.
pub(crate) trait SessionObserver: Send + Sync {
    /// The connection with this number has ended, perhaps long after its successor began, or before it was used.
    fn on_ended(&self, number: u64);
}

/// Connects with changes reported to a listener.
pub(crate) struct ClientTracking {
    /// The number of the connection.
    pub(crate) number: u64,
    pub(crate) observer: Weak<dyn SessionObserver>,
    pub(crate) listener: Arc<dyn InvalidationListener>,
}

impl ClientTracking {
    /// Connects with tracking, or without it if the server does not support it.
    pub(crate) async fn connect(
        self,
        client: &Client,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let listener = Arc::clone(&self.listener);
        match self.try_connect(client, config.clone()).await {
            Ok(connection) => {
                listener.on_connected();
                Ok(connection)
            }
            Err(error) if is_broken(&error) || is_temporary(&error) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "client-side tracking unavailable");
                listener.on_unsupported();
                client.get_multiplexed_async_connection_with_config(&config).await
            }
        }
    }

    async fn try_connect(self, client: &Client, config: AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let info = client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        let config = config.set_push_sender(move |push: PushInfo| {
            self.receive(&push);
            Ok::<(), std::convert::Infallible>(())
        });
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let (http, results) = (format!("{HTTP_PREFIX}:"), format!("{RESULT_PREFIX}:"));
        let mut track = cmd("CLIENT");
        track.arg(&["TRACKING", "ON", "BCAST", "NOLOOP", "PREFIX", &http, "PREFIX", &results]);
        track.exec_async(&mut connection).await?;
        Ok(connection)
    }

    /// Called by the driver, between two replies.
    fn receive(&self, push: &PushInfo) {
        match (&push.kind, push.data.first()) {
            (PushKind::Disconnection, _) => {
                if let Some(observer) = self.observer.upgrade() {
                    observer.on_ended(self.number);
                }
            }
            (PushKind::Invalidate, Some(Value::Array(keys))) => {
                for key in keys {
                    if let Value::BulkString(key) = key {
                        self.listener.on_invalidate(key);
                    }
                }
            }
            // Everything was flushed.
            (PushKind::Invalidate, _) => self.listener.on_invalidate_all(),
            _ => {}
        }
    }
}
