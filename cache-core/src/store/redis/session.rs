//! The connection in use: made, watched, and given up.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, Value, cmd};

use crate::error::{Error, Result};
use crate::store::redis::client_tracking::Tracking;
use crate::store::redis::connection::Connection;
use crate::store::redis::driver_error::is_broken;

/// The connection in use, numbered so that one failure is not answered by two reconnects.
pub(crate) struct Current {
    number: u64,
    connection: Option<MultiplexedConnection>,
    used: Instant,
}

impl Current {
    /// None yet.
    pub(crate) fn none() -> Self {
        Self { number: 0, connection: None, used: Instant::now() }
    }
}

impl Connection {
    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection with its number; made first where there is none, or none that answers.
    pub(crate) async fn get(&self) -> Result<(u64, MultiplexedConnection)> {
        if let Some(ready) = self.ready() {
            return Ok(ready);
        }
        let mut connecting = self.0.connecting.lock().await;
        // Another caller may have seen to it meanwhile.
        if let Some(ready) = self.ready() {
            return Ok(ready);
        }
        let idle = {
            let current = self.current();
            current.connection.clone().map(|connection| (current.number, connection))
        };
        if let Some((number, mut connection)) = idle {
            let ping = cmd("PING");
            let pong = self.watched(number, ping.query_async::<Value>(&mut connection));
            let pong = tokio::time::timeout(self.0.connect_timeout, pong).await;
            if matches!(pong, Ok(Ok(_))) {
                self.current().used = Instant::now();
                return Ok((number, connection));
            }
            self.forget(number);
        }
        let number = self.current().number + 1;
        let connected = connecting
            .get_or_insert_with(|| {
                let client = self.0.client.clone();
                Box::pin(connect(client, self.0.connect_timeout, self.0.timeout, self.tracking(number)))
            })
            .await;
        *connecting = None;
        let connection = connected.map_err(|error| self.explain(Error::CONNECTING, error))?;
        *self.current() = Current { number, connection: Some(connection.clone()), used: Instant::now() };
        Ok((number, connection))
    }

    /// The connection, if there is one that was not idle for too long.
    fn ready(&self) -> Option<(u64, MultiplexedConnection)> {
        let mut current = self.current();
        let connection = current.connection.clone()?;
        let now = Instant::now();
        let is_due = !self.0.health_check.is_zero() && now - current.used > self.0.health_check;
        (!is_due).then(|| {
            current.used = now;
            (current.number, connection)
        })
    }

    /// Waits for an answer, and gives the connection up where it is broken or stuck: behind an answer that does not
    /// come every later one would have to wait.
    pub(crate) async fn watched<T>(&self, number: u64, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let mut watch = Watch { connection: self, number, since: Instant::now(), is_over: false };
        let answer = answer.await;
        watch.is_over = true;
        if answer.as_ref().is_err_and(is_broken) {
            self.forget(number);
        }
        answer
    }

    /// A connection has come to its end, perhaps long after its successor has begun, or before it was used.
    pub(crate) fn has_ended(&self, number: u64) {
        let mut current = self.current();
        if number >= current.number {
            if number == current.number {
                current.connection = None;
            }
            drop(current);
            self.are_not_told();
        }
    }

    /// The next caller makes a new connection.
    pub(crate) fn drop_connection(&self) {
        self.current().connection = None;
    }

    pub(crate) fn forget(&self, number: u64) {
        let mut current = self.current();
        if current.number == number && current.connection.take().is_some() {
            drop(current);
            self.are_not_told();
        }
    }
}

/// Notices callers who stop waiting before their answer has come.
struct Watch<'a> {
    connection: &'a Connection,
    number: u64,
    since: Instant,
    is_over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.since.elapsed() >= self.connection.0.patience {
            self.connection.forget(self.number);
        }
    }
}

async fn connect(
    client: Client,
    limit: Duration,
    timeout: Duration,
    tracking: Option<Tracking>,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(Some(timeout));
    let mut connection = match tracking {
        Some(tracking) => tracking.connect(&client, config).await?,
        None => client.get_multiplexed_async_connection_with_config(&config).await?,
    };
    // A look at a key must not make it seem used, and administrators should see who is connected. Older servers
    // and narrow permissions refuse both, which does no harm.
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
