//! Commands, pipelines and transactions on one connection, which is made when needed, and again when it broke.
//!
//! The driver's own manager delays callers while it retries; a user interface needs the failure at once.

#[cfg(test)]
mod tests;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::Config;
use crate::error::{BackendId, BackendKind, Error, RefusalScope, Result};
use crate::store::invalidation::InvalidationListener;
use crate::store::redis::client;
use crate::store::redis::driver_error::{is_broken, is_temporary, lacks_right_to_keys};
use crate::store::redis::session::Session;
use crate::store::redis::tls_error::certificate_problem;

/// Shared by its clones.
#[derive(Clone)]
pub(crate) struct Connection(Arc<HttpContext>);

struct HttpContext {
    session: Arc<Session>,
    backend: BackendId,
    /// `REDIS_RETRY_ON_TIMEOUT`: idempotent commands are sent once more on a new connection.
    retries_timeouts: bool,
    /// `UNLINK` and scripts are not always available; once refused, they are not tried again.
    has_unlink: AtomicBool,
    has_scripts: AtomicBool,
}

impl Connection {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let location = config.redis_url.location()?;
        let config = &config.tuned(&location);
        let endpoint = client::endpoint(&location, config)?;
        Ok(Self(Arc::new(HttpContext {
            session: Session::new(endpoint, config),
            backend: BackendId { kind: BackendKind::Redis, location: config.redis_url.to_string().into() },
            retries_timeouts: config.redis_retry_on_timeout,
            has_unlink: AtomicBool::new(true),
            has_scripts: AtomicBool::new(true),
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
        match self.execute_once(operation, command).await {
            Err(error) if self.should_retry(&error) => self.execute_once(operation, command).await,
            answer => answer,
        }
    }

    async fn get(&self) -> Result<(u64, MultiplexedConnection)> {
        self.0.session.get().await.map_err(|error| self.explain(Error::CONNECTING, error))
    }

    async fn execute_once(&self, operation: &'static str, command: &Cmd) -> Result<RedisResult<Value>> {
        let (number, mut connection) = self.get().await?;
        match self.0.session.watched(number, command.query_async(&mut connection)).await {
            Err(error) if is_broken(&error) || is_temporary(&error) => Err(self.explain(operation, error)),
            answer => Ok(answer),
        }
    }

    /// Runs idempotent commands in one round trip; each has its own reply.
    pub(crate) async fn pipeline(
        &self,
        operation: &'static str,
        pipe: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>> {
        match self.pipeline_once(operation, pipe).await {
            Err(error) if self.should_retry(&error) => self.pipeline_once(operation, pipe).await,
            answer => answer,
        }
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

    /// Runs commands in one round trip, without repeating them.
    pub(crate) async fn pipeline_once(
        &self,
        operation: &'static str,
        pipe: &mut Pipeline,
    ) -> Result<Vec<RedisResult<Value>>> {
        if pipe.is_empty() {
            return Ok(Vec::new());
        }
        let (number, mut connection) = self.get().await?;
        let answer = self.0.session.watched(number, pipe.ignore_errors().query_async(&mut connection)).await;
        let answers: Vec<RedisResult<Value>> = answer.map_err(|error| self.explain(operation, error))?;
        // A server that loads its data, or is unreachable behind a proxy, replies so to every command.
        match answers.first() {
            Some(Err(error)) if is_temporary(error) => Err(self.explain(operation, error.clone())),
            _ => Ok(answers),
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

    pub(crate) fn has_scripts(&self) -> bool {
        self.0.has_scripts.load(Ordering::Relaxed)
    }

    pub(crate) fn has_no_scripts(&self) {
        self.0.has_scripts.store(false, Ordering::Relaxed);
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
        if is_temporary(&error) {
            Error::Unavailable { backend, source: error.into() }
        } else {
            let scope = if lacks_right_to_keys(&error) { RefusalScope::Keys } else { RefusalScope::All };
            Error::Refused { backend, operation, scope, source: error.into() }
        }
    }
}

/// The beginning of a [`Connection::transaction`].
pub(crate) fn multi() -> Pipeline {
    let mut pipe = Pipeline::new();
    pipe.cmd("MULTI");
    pipe
}
