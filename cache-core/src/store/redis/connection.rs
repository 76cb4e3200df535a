//! Commands, pipelines and transactions on one connection, which is made when needed, and again when it broke.
//!
//! The driver's own manager delays callers while it retries; a user interface needs the failure at once.

#[cfg(test)]
mod tests;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::{BackendId, BackendKind, Error, Result};
use crate::model::capabilities::Capabilities;
use crate::store::invalidation::InvalidationListener;
use crate::store::redis::capabilities::CLUSTER;
use crate::store::redis::client;
use crate::store::redis::driver_error::{
    has_moved, is_broken, is_of_cluster, is_temporary, lacks_right_to_keys, refuses_writes, scope,
};
use crate::store::redis::session::{Purpose, Session};
use crate::store::redis::tls_error::certificate_problem;

/// Shared by its clones.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Shared>);

struct Shared {
    session: Arc<Session>,
    backend: BackendId,
    /// `REDIS_RETRY_ON_TIMEOUT`: idempotent commands are sent once more on a new connection.
    retries_timeouts: bool,
    /// `UNLINK` is not always available; once refused, it is not tried again.
    has_unlink: AtomicBool,
    /// Why the server refused the last write, and when.
    writes_refused: Mutex<Option<(Instant, String)>>,
    /// What was reported as unavailable: once is enough.
    reported: Mutex<BTreeSet<&'static str>>,
}

/// A refusal of writes counts as outdated after this time: nothing may have been written since.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(60);

impl Connection {
    pub(crate) fn new(config: &Config, purpose: Purpose) -> Result<Self> {
        let location = config.redis_url.location()?;
        let config = &config.tuned(&location);
        let endpoint = client::endpoint(&location, config)?;
        Ok(Self(Arc::new(Shared {
            session: Session::new(endpoint, config, purpose),
            backend: BackendId { kind: BackendKind::Redis, location: config.redis_url.to_string().into() },
            retries_timeouts: config.redis_retry_on_timeout,
            has_unlink: AtomicBool::new(true),
            writes_refused: Mutex::default(),
            reported: Mutex::default(),
        })))
    }

    pub(crate) fn backend(&self) -> &BackendId {
        &self.0.backend
    }

    /// Reports changes to `listener` while connected; `false`: there is a listener already.
    pub(crate) fn subscribe(&self, listener: Arc<dyn InvalidationListener>) -> bool {
        self.0.session.subscribe(listener)
    }

    /// Runs one idempotent command.
    pub(crate) async fn query(&self, operation: &'static str, command: &Cmd) -> Result<Value> {
        self.execute(operation, command).await?.map_err(|error| self.explain(operation, error))
    }

    /// As [`Self::query`], but a refusal by the server is a reply.
    pub(crate) async fn execute(&self, operation: &'static str, command: &Cmd) -> Result<RedisResult<Value>> {
        let once = async || {
            let (number, mut connection) = self.get().await?;
            let answer = match self.0.session.watched(number, command.query_async(&mut connection)).await {
                Err(error) if is_broken(&error) || is_temporary(&error) => return Err(self.explain(operation, error)),
                answer => answer,
            };
            Ok((self.has_reconnected(number, answer.as_ref().err()), answer))
        };
        match once().await {
            Err(error) if self.should_retry(&error) => once().await,
            Ok((true, _)) => once().await,
            answer => answer,
        }
        .map(|(_, answer)| answer)
    }

    async fn get(&self) -> Result<(u64, MultiplexedConnection)> {
        self.0.session.get().await.map_err(|error| self.explain(Error::CONNECTING, error))
    }

    /// Whether the refusals of commands led to a new connection, on which they may be asked again.
    fn has_reconnected<'a>(&self, number: u64, refusals: impl IntoIterator<Item = &'a RedisError>) -> bool {
        let mut moved = false;
        for refusal in refusals {
            if refuses_writes(refusal) {
                let reason = refusal.detail().map_or_else(|| refusal.to_string(), ToOwned::to_owned);
                *lock(&self.0.writes_refused) = Some((Instant::now(), reason));
            }
            moved |= has_moved(refusal);
        }
        moved && self.0.session.reconnect(number)
    }

    /// Runs idempotent commands in one round trip; each has its own reply.
    pub(crate) async fn pipeline(
        &self,
        operation: &'static str,
        pipe: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>> {
        let once = async |pipe: &mut Pipeline| self.pipeline_once_or_reconnect(operation, pipe).await;
        match once(pipe).await {
            Err(error) if self.should_retry(&error) => once(pipe).await,
            Ok((true, _)) => once(pipe).await,
            answer => answer,
        }
        .map(|(_, answers)| answers)
    }

    fn should_retry(&self, error: &Error) -> bool {
        match error {
            Error::Unavailable { .. } => true,
            Error::Timeout { .. } => self.0.retries_timeouts,
            _ => false,
        }
    }

    /// Runs commands on entries, as [`Self::pipeline`] does. A key of the wrong type is a reply about its entry. Any
    /// other refusal concerns the server, and must not make the entry look damaged or missing.
    pub(crate) async fn on_entries(
        &self,
        operation: &'static str,
        pipe: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>> {
        let answers = self.pipeline(operation, pipe).await?;
        let refusal = answers.iter().filter_map(|answer| answer.as_ref().err()).find(|e| e.code() != Some("WRONGTYPE"));
        match refusal {
            Some(error) => Err(self.explain(operation, error.clone())),
            None => Ok(answers),
        }
    }

    /// As [`Self::on_entries`], but a refusal for the keys of one entry is a reply about it, too.
    pub(crate) async fn on_readable_entries(
        &self,
        operation: &'static str,
        pipe: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>> {
        let answers = self.pipeline(operation, pipe).await?;
        let is_refusal = |error: &&RedisError| error.code() != Some("WRONGTYPE") && !lacks_right_to_keys(error);
        match answers.iter().filter_map(|answer| answer.as_ref().err()).find(is_refusal) {
            Some(error) => Err(self.explain(operation, error.clone())),
            None => Ok(answers),
        }
    }

    /// Runs commands in one round trip, without repeating them.
    pub(crate) async fn pipeline_once(
        &self,
        operation: &'static str,
        pipe: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>> {
        self.pipeline_once_or_reconnect(operation, pipe).await.map(|(_, answers)| answers)
    }

    /// As [`Self::pipeline_once`], and whether a refusal led to a new connection.
    async fn pipeline_once_or_reconnect(
        &self,
        operation: &'static str,
        pipe: &mut Pipeline,
    ) -> Result<(bool, Vec<RedisResult<Value>>)> {
        if pipe.is_empty() {
            return Ok((false, Vec::new()));
        }
        let (number, mut connection) = self.get().await?;
        let answer = self.0.session.watched(number, pipe.ignore_errors().query_async(&mut connection)).await;
        let answers: Vec<RedisResult<Value>> = answer.map_err(|error| self.explain(operation, error))?;
        // A server that loads its data, or is unreachable behind a proxy, replies so to every command.
        match answers.first() {
            Some(Err(error)) if is_temporary(error) => Err(self.explain(operation, error.clone())),
            _ => Ok((self.has_reconnected(number, answers.iter().filter_map(|answer| answer.as_ref().err())), answers)),
        }
    }

    /// Runs the commands of a [`multi`] together or, if the connection breaks or the server refuses one of them, not at
    /// all. Behind a proxy without transactions they run one by one. A command that fails at execution fails alone, and
    /// its error is returned. Commands are repeated only with `may_repeat`.
    pub(crate) async fn transaction(
        &self,
        operation: &'static str,
        mut pipe: Pipeline,
        may_repeat: bool,
    ) -> Result<Vec<Value>> {
        let explain = |error| self.explain(operation, error);
        pipe.cmd("EXEC");
        let mut answers = if may_repeat {
            self.pipeline(operation, &mut pipe).await?
        } else {
            self.pipeline_once(operation, &mut pipe).await?
        };
        let (executed, has_begun) = (answers.pop(), answers.remove(0).is_ok());
        if !has_begun {
            return answers.into_iter().collect::<RedisResult<_>>().map_err(explain);
        }
        if let Some(refused) = answers.into_iter().find_map(RedisResult::err) {
            return Err(explain(refused));
        }
        match executed {
            Some(Ok(Value::Array(values))) => {
                *lock(&self.0.writes_refused) = None;
                values.into_iter().map(Value::extract_error).collect::<RedisResult<_>>().map_err(explain)
            }
            Some(Err(error)) => Err(explain(error)),
            _ => Ok(Vec::new()),
        }
    }

    /// The command that frees keys: `UNLINK`, or `DEL` on servers that do not know it.
    pub(crate) fn unlink(&self) -> &'static str {
        if self.0.has_unlink.load(Ordering::Relaxed) { "UNLINK" } else { "DEL" }
    }

    pub(crate) fn has_no_unlink(&self) {
        self.0.has_unlink.store(false, Ordering::Relaxed);
    }

    /// What the connection has learned of the server; connects if necessary.
    pub(crate) async fn server(&self) -> Result<Arc<Capabilities>> {
        if self.0.session.server().is_none() {
            self.get().await?;
        }
        Ok(self.known_server())
    }

    /// As [`Self::server`], as far as it is known.
    pub(crate) fn known_server(&self) -> Arc<Capabilities> {
        self.0.session.server().unwrap_or_default()
    }

    /// Whether this command or script was refused on this connection.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.0.session.server().is_some_and(|server| server.lacks(name))
    }

    /// Remembers that the server refused a command or script, and reports the first time what does not work without it.
    pub(crate) fn has_refused(&self, name: &'static str, error: &RedisError, consequence: &str) {
        self.0.session.learn(|server| _ = server.refused.insert(name.into(), error.to_string()));
        if lock(&self.0.reported).insert(name) {
            tracing::warn!(%error, backend = %self.0.backend, "{name} refused; {consequence}");
        }
    }

    /// Remembers that the server does not know `PEXPIRE … GT`.
    pub(crate) fn has_no_expire_gt(&self) {
        self.0.session.learn(|server| server.has_expire_gt = Some(false));
    }

    /// What is known of the server, with the last refusal of writes; `None` before the first connection.
    pub(crate) fn capabilities(&self) -> Option<Capabilities> {
        let refused = lock(&self.0.writes_refused).clone().filter(|(at, _)| at.elapsed() < REFUSAL_LIFETIME);
        let known = Capabilities::clone(&*self.0.session.server()?);
        Some(Capabilities { writes_refused: refused.map(|(_, reason)| reason), ..known })
    }

    /// The client, for other kinds of connections. The driver cannot make them to a host with another name.
    pub(crate) fn client(&self) -> RedisResult<&Client> {
        let endpoint = self.0.session.endpoint();
        match endpoint.connect_to {
            None => Ok(&endpoint.client),
            Some(_) => Err((ErrorKind::InvalidClientConfig, "not possible with another server name (SNI)").into()),
        }
    }

    /// The number of the database.
    pub(crate) fn database(&self) -> i64 {
        self.0.session.endpoint().client.get_connection_info().redis_settings().db()
    }

    /// A blocking connection, to restore settings after the runtime has ended.
    pub(crate) fn blocking(&self) -> RedisResult<redis::Connection> {
        let connection = self.client()?.get_connection_with_timeout(self.0.session.connect_timeout())?;
        connection.set_read_timeout(Some(self.0.session.timeout()))?;
        connection.set_write_timeout(Some(self.0.session.timeout()))?;
        Ok(connection)
    }

    /// Awaits a connection, within the connect timeout.
    pub(crate) async fn within_connect_timeout<T>(
        &self,
        operation: &'static str,
        connecting: impl Future<Output = RedisResult<T>>,
    ) -> Result<T> {
        let limit = self.0.session.connect_timeout();
        match tokio::time::timeout(limit, connecting).await {
            Ok(outcome) => outcome.map_err(|error| self.explain(operation, error)),
            Err(_) => Err(Error::Timeout { backend: self.0.backend.clone(), operation, limit }),
        }
    }

    /// The driver's error as an [`Error`].
    pub(crate) fn explain(&self, operation: &'static str, error: RedisError) -> Error {
        let backend = self.0.backend.clone();
        if let Some(problem) = certificate_problem(&error) {
            return Error::Certificate { backend, problem, source: error.into() };
        }
        if error.is_timeout() {
            let limit = if operation == Error::CONNECTING {
                self.0.session.connect_timeout()
            } else {
                self.0.session.timeout()
            };
            return Error::Timeout { backend, operation, limit };
        }
        if is_of_cluster(&error) {
            return Error::Config(format!("{backend}: {CLUSTER}"));
        }
        if error.kind() == ErrorKind::InvalidClientConfig {
            return Error::Config(format!("{backend}: {}", error.detail().unwrap_or("the connection is not possible")));
        }
        if is_temporary(&error) {
            Error::Unavailable { backend, source: error.into() }
        } else {
            Error::Refused { backend, operation, scope: scope(&error), source: error.into() }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The beginning of a [`Connection::transaction`].
pub(crate) fn multi() -> Pipeline {
    let mut pipe = Pipeline::new();
    pipe.cmd("MULTI");
    pipe
}
