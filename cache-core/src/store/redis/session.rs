//! The current connection: made when needed, monitored, and discarded when it broke.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, ProtocolVersion, RedisError, RedisResult, Value, cmd};

use crate::config::Config;
use crate::model::capabilities::Capabilities;
use crate::store::invalidation::InvalidationListener;
use crate::store::redis::capabilities;
use crate::store::redis::client::Endpoint;
use crate::store::redis::client_tracking::{ClientTracking, SessionObserver};
use crate::store::redis::driver_error::{is_broken, is_temporary};
use crate::store::redis::last_words;

/// A replica is not connected again before this time, to find the primary behind its name.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(2);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The caches: reading a key counts as a use of it, which keeps it from eviction.
    Cache,
    /// Administration: reading a key must not make it seem used.
    Admin,
}

/// A connection attempt, with what it learns of the server.
type Connecting = BoxFuture<'static, RedisResult<(MultiplexedConnection, Capabilities)>>;

/// One connection at a time to one server.
pub(crate) struct Session {
    endpoint: Endpoint,
    purpose: Purpose,
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
    connecting: tokio::sync::Mutex<Option<Connecting>>,
    /// This session, for connections that report their end.
    this: Weak<Session>,
}

/// The current connection, numbered so that one failure does not cause two reconnects.
struct CurrentConnection {
    number: u64,
    connection: Option<MultiplexedConnection>,
    /// What this connection, or the last one, has learned of the server.
    server: Option<Arc<Capabilities>>,
    since: Instant,
    used: Instant,
}

impl Session {
    /// Creates a session, which connects on first use.
    pub(crate) fn new(endpoint: Endpoint, config: &Config, purpose: Purpose) -> Arc<Self> {
        let now = Instant::now();
        let none = CurrentConnection { number: 0, connection: None, server: None, since: now, used: now };
        Arc::new_cyclic(|this| Self {
            endpoint,
            purpose,
            connect_timeout: config.redis_connect_timeout,
            timeout: config.redis_timeout,
            health_check_interval: config.redis_health_check_interval,
            stuck_after: config.store_timeout / 2,
            current: Mutex::new(none),
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
                let (endpoint, purpose) = (self.endpoint.clone(), self.purpose);
                Box::pin(connect(endpoint, purpose, self.connect_timeout, self.timeout, self.tracking(number)))
            })
            .await;
        *connecting = None;
        let (connection, server) = connected?;
        let (server, now) = (Some(Arc::new(server)), Instant::now());
        *self.current() =
            CurrentConnection { number, connection: Some(connection.clone()), server, since: now, used: now };
        Ok((number, connection))
    }

    /// What the current connection, or the last one, has learned of the server; `None` before the first one.
    pub(crate) fn server(&self) -> Option<Arc<Capabilities>> {
        self.current().server.clone()
    }

    /// Adds to what the current connection has learned.
    pub(crate) fn learn(&self, add: impl FnOnce(&mut Capabilities)) {
        if let Some(server) = &mut self.current().server {
            add(Arc::make_mut(server));
        }
    }

    /// Discards a connection whose server is no longer the one that was connected. `false`: the next connection would
    /// most likely lead to the same server.
    pub(crate) fn reconnect(&self, number: u64) -> bool {
        let current = self.current();
        let was_known = current.server.as_ref().is_some_and(|server| server.read_only_reason().is_some());
        if current.number == number && was_known && current.since.elapsed() < RECONNECT_INTERVAL {
            return false;
        }
        drop(current);
        self.discard(number);
        true
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
        // An error is an answer: a user may lack the right to `PING`, and a failed snapshot refuses it.
        if pong.is_ok_and(|pong| !pong.as_ref().is_err_and(is_broken)) {
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
    purpose: Purpose,
    limit: Duration,
    timeout: Duration,
    tracking: Option<ClientTracking>,
) -> RedisResult<(MultiplexedConnection, Capabilities)> {
    let mut config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(Some(timeout));
    if let Some(host) = connect_to {
        config = config.set_dns_resolver(host);
    }
    let database = client.get_connection_info().redis_settings().db();
    let is_admin = purpose == Purpose::Admin;
    let is_resp3 = client.get_connection_info().redis_settings().protocol() == ProtocolVersion::RESP3;
    let protocol = if is_resp3 || tracking.is_some() { 3 } else { 2 };
    let connected = async {
        let mut connection = match tracking {
            Some(tracking) => tracking.connect(&client, config.clone()).await?,
            None => client.get_multiplexed_async_connection_with_config(&config).await?,
        };
        let mut server = capabilities::learn(&mut connection, database, is_admin).await?;
        server.protocol = protocol;
        Ok((connection, server))
    };
    match connected.await {
        Err(error) if is_broken(&error) => Err(last_words::of(client.get_connection_info().addr(), error).await),
        // A cluster and Sentinel have no other databases; they are named, and not the database.
        Err(error) if database != 0 && !is_temporary(&error) => {
            Err(unsuitable(&client, &config, database).await.unwrap_or(error))
        }
        outcome => outcome,
    }
}

/// Why the server is no store, if it is none, as seen in database 0.
async fn unsuitable(client: &Client, config: &AsyncConnectionConfig, database: i64) -> Option<RedisError> {
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone().set_db(0);
    let client = Client::open(info.set_redis_settings(settings)).ok()?;
    let mut connection = client.get_multiplexed_async_connection_with_config(config).await.ok()?;
    let refusal = capabilities::learn(&mut connection, database, true).await.err()?;
    (refusal.kind() == ErrorKind::InvalidClientConfig).then_some(refusal)
}
