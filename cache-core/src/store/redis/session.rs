//! The current connection: made when needed, monitored, and discarded when it broke.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisResult, Value, cmd};

use crate::config::Config;
use crate::store::invalidation::InvalidationListener;
use crate::store::redis::client::Endpoint;
use crate::store::redis::client_tracking::{ClientTracking, SessionObserver};
use crate::store::redis::driver_error::is_broken;

/// One connection at a time to one server.
pub(crate) struct Session {
    endpoint: Endpoint,
    connect_timeout: Duration,
    timeout: Duration,
    /// `REDIS_HEALTH_CHECK_INTERVAL`: a connection that was idle for so long must reply to a `PING` before it is used.
    health_check_interval: Duration,
    /// A caller that is canceled after waiting this long was canceled by its timeout. The connection counts as stuck
    /// and is replaced.
    stuck_after: Duration,
    current: Mutex<CurrentConnection>,
    /// Receives changes by other clients, from the current connection only.
    listener: OnceLock<Arc<dyn InvalidationListener>>,
    /// A connection attempt, shared by callers. A canceled caller leaves it to the next one: if each started over, no
    /// connection would ever be made to a server that is slow to accept.
    connecting: tokio::sync::Mutex<Option<BoxFuture<'static, RedisResult<MultiplexedConnection>>>>,
    /// This session, for connections that report their end.
    this: Weak<Session>,
}

/// The current connection, numbered so that one failure does not cause two reconnects.
struct CurrentConnection {
    number: u64,
    connection: Option<MultiplexedConnection>,
    used: Instant,
}

impl Session {
    /// Creates a session, which connects on first use.
    pub(crate) fn new(endpoint: Endpoint, config: &Config) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            endpoint,
            connect_timeout: config.redis_connect_timeout,
            timeout: config.redis_timeout,
            health_check_interval: config.redis_health_check_interval,
            stuck_after: config.store_timeout / 2,
            current: Mutex::new(CurrentConnection { number: 0, connection: None, used: Instant::now() }),
            listener: OnceLock::new(),
            connecting: tokio::sync::Mutex::default(),
            this: Weak::clone(this),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    fn current(&self) -> MutexGuard<'_, CurrentConnection> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports changes to `listener` from the next connection on; `false`: there is a listener already.
    pub(crate) fn subscribe(&self, listener: Arc<dyn InvalidationListener>) -> bool {
        let is_first = self.listener.set(listener).is_ok();
        if is_first {
            // The current connection is not tracked: the next one is.
            self.current().connection = None;
        }
        is_first
    }

    fn report_disconnected(&self) {
        if let Some(listener) = self.listener.get() {
            listener.on_disconnected();
        }
    }

    fn tracking(&self, number: u64) -> Option<ClientTracking> {
        let listener = Arc::clone(self.listener.get()?);
        Some(ClientTracking { number, observer: Weak::clone(&self.this) as _, listener })
    }

    /// The connection and its number; connects if there is none that responds.
    pub(crate) async fn get(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        if let Some(ready) = self.ready() {
            return Ok(ready);
        }
        let mut connecting = self.connecting.lock().await;
        // Another caller may have connected meanwhile.
        if let Some(ready) = self.ready() {
            return Ok(ready);
        }
        if let Some(ready) = self.check_idle().await {
            return Ok(ready);
        }
        let number = self.current().number + 1;
        let connected = connecting
            .get_or_insert_with(|| {
                let endpoint = self.endpoint.clone();
                Box::pin(connect(endpoint, self.connect_timeout, self.timeout, self.tracking(number)))
            })
            .await;
        *connecting = None;
        let connection = connected?;
        *self.current() = CurrentConnection { number, connection: Some(connection.clone()), used: Instant::now() };
        Ok((number, connection))
    }

    /// The connection, if it was not idle for too long.
    fn ready(&self) -> Option<(u64, MultiplexedConnection)> {
        let mut current = self.current();
        let connection = current.connection.clone()?;
        let now = Instant::now();
        let is_due = !self.health_check_interval.is_zero() && now - current.used > self.health_check_interval;
        (!is_due).then(|| {
            current.used = now;
            (current.number, connection)
        })
    }

    /// The idle connection, if it still responds.
    async fn check_idle(&self) -> Option<(u64, MultiplexedConnection)> {
        let (number, mut connection) = {
            let current = self.current();
            (current.number, current.connection.clone()?)
        };
        let ping = cmd("PING");
        let pong = self.watched(number, ping.query_async::<Value>(&mut connection));
        let pong = tokio::time::timeout(self.connect_timeout, pong).await;
        if matches!(pong, Ok(Ok(_))) {
            self.current().used = Instant::now();
            return Some((number, connection));
        }
        self.discard(number);
        None
    }

    /// Waits for a reply, and discards the connection if it is broken or stuck: every later reply would wait for the
    /// missing one.
    pub(crate) async fn watched<T>(&self, number: u64, reply: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let mut watch = StuckWatch { session: self, number, since: Instant::now(), is_over: false };
        let reply = reply.await;
        watch.is_over = true;
        if reply.as_ref().is_err_and(is_broken) {
            self.discard(number);
        }
        reply
    }

    fn discard(&self, number: u64) {
        let mut current = self.current();
        if current.number == number && current.connection.take().is_some() {
            drop(current);
            self.report_disconnected();
        }
    }
}

impl SessionObserver for Session {
    fn on_ended(&self, number: u64) {
        let mut current = self.current();
        if number >= current.number {
            if number == current.number {
                current.connection = None;
            }
            drop(current);
            self.report_disconnected();
        }
    }
}

/// Detects callers that are canceled before their reply arrives.
struct StuckWatch<'a> {
    session: &'a Session,
    number: u64,
    since: Instant,
    is_over: bool,
}

impl Drop for StuckWatch<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.since.elapsed() >= self.session.stuck_after {
            self.session.discard(self.number);
        }
    }
}

async fn connect(
    Endpoint { client, connect_to }: Endpoint,
    limit: Duration,
    timeout: Duration,
    tracking: Option<ClientTracking>,
) -> RedisResult<MultiplexedConnection> {
    let mut config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(Some(timeout));
    if let Some(host) = connect_to {
        config = config.set_dns_resolver(host);
    }
    let mut connection = match tracking {
        Some(tracking) => tracking.connect(&client, config).await?,
        None => client.get_multiplexed_async_connection_with_config(&config).await?,
    };
    // `NO-TOUCH`, since reading a key must not make it seem used; a name, since administrators should see which program
    // is connected. Older servers and restricted users refuse both, which does no harm.
    let _: RedisResult<Vec<RedisResult<Value>>> = redis::pipe()
        .cmd("CLIENT")
        .arg("SETNAME")
        .arg("animecache")
        .cmd("CLIENT")
        .arg("NO-TOUCH")
        .arg("ON")
        .ignore_errors()
        .query_async(&mut connection)
        .await;
    Ok(connection)
}
