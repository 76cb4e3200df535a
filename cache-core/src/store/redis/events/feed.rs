//! The events of a cache, from keyspace notifications or from the commands that the server receives (`MONITOR`).
//!
//! A separate task reads what the server sends, over a separate connection, without delay: the server buffers what a
//! slow reader has not read. Signals that the feed cannot follow are dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use redis::cmd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock;
use crate::error::Result;
use crate::format::redis_key::Name;
use crate::model::entry::{EntryId, StorageLayout};
use crate::model::event::{EventSource, Observation, RequestLine};
use crate::model::service::ServiceRegistry;
use crate::store::events::EventFeed;
use crate::store::redis::connection::Connection;
use crate::store::redis::events::interpreter::{Context, EventInterpreter};
use crate::store::redis::events::notifications::Setting;
use crate::store::redis::events::pending::Facts;
use crate::store::redis::events::reader::{DroppedCount, Reader, ReaderMessage};
use crate::store::redis::events::signal::Signal;
use crate::store::redis::{heads, layout, reply};

/// The maximum number of signals that are read and not interpreted yet; further ones are dropped.
const QUEUE: usize = 16_384;

/// The maximum number of remembered entries.
const REMEMBERED: u64 = 10_000;

/// How often pending operations are checked for timeouts.
const TICK: Duration = Duration::from_millis(100);

/// How often the server's notifications setting is checked, seconds.
const CHECK_EVERY: f64 = 5.0;

/// The events of a cache in Redis.
pub(crate) struct RedisEventFeed {
    source: EventSource,
    begun_at: f64,
    /// When the feed ends, if it is limited.
    ended_at: Option<f64>,
    connection: Connection,
    services: ServiceRegistry,
    interpreter: EventInterpreter,
    known: Cache<Uuid, Arc<Facts>>,
    inbox: mpsc::Receiver<ReaderMessage>,
    /// The message that is being processed: stored here, so that a canceled call loses nothing.
    current: Option<ReaderMessage>,
    dropped: DroppedCount,
    ticked_at: f64,
    checked_at: f64,
    is_over: bool,
    setting: Option<Setting>,
    reader: JoinHandle<()>,
}

impl RedisEventFeed {
    /// Starts to watch; the server's settings are changed when this returns.
    pub(crate) async fn open(connection: &Connection, services: &ServiceRegistry, source: EventSource) -> Result<Self> {
        let setting = match source {
            EventSource::Notifications { enables } => Some(Setting::take(connection, enables).await?),
            EventSource::Commands { .. } => None,
        };
        let (signals, news) = mpsc::channel(QUEUE);
        let dropped = DroppedCount::default();
        let reader = Reader::open(connection.clone(), source, signals, dropped.clone()).await?;
        let now = clock::now();
        let until = match source {
            EventSource::Commands { window, .. } => Some(now + window.as_secs_f64()),
            EventSource::Notifications { .. } => None,
        };
        #[expect(clippy::disallowed_methods, reason = "the task ends with the watch")]
        let reader = tokio::spawn(reader.run());
        Ok(Self {
            source,
            begun_at: now,
            ended_at: until,
            connection: connection.clone(),
            services: services.clone(),
            interpreter: EventInterpreter::new(matches!(source, EventSource::Commands { .. }), services.clone()),
            known: Cache::builder().max_capacity(REMEMBERED).eviction_policy(EvictionPolicy::lru()).build(),
            inbox: news,
            current: None,
            dropped,
            ticked_at: now,
            checked_at: now,
            is_over: false,
            setting,
            reader,
        })
    }

    /// Processes one more message, or a timeout. `Some`: the duration without observation.
    async fn resubscribe(&mut self) -> Result<Option<Duration>> {
        let now = clock::now();
        if self.ended_at.is_some_and(|until| now >= until) {
            self.stop();
            return Ok(None);
        }
        if now - self.checked_at >= CHECK_EVERY {
            let since = self.checked_at;
            if self.check_setting(now).await? {
                // They may have been off since the last check.
                return Ok(Some(Duration::from_secs_f64((now - since).max(0.0))));
            }
        }
        if self.current.is_none() {
            let left = self.ended_at.map_or(CHECK_EVERY, |until| until - now).clamp(0.0, CHECK_EVERY);
            let timeout = Duration::from_secs_f64(left);
            let timeout = if self.interpreter.is_waiting() { timeout.min(TICK) } else { timeout };
            match tokio::time::timeout(timeout, self.inbox.recv()).await {
                Ok(Some(news)) => self.current = Some(news),
                Ok(None) => self.stop(),
                Err(_) => {
                    self.ticked_at = clock::now();
                    self.interpreter.tick(self.ticked_at);
                }
            }
        }
        match &self.current {
            None => Ok(None),
            Some(ReaderMessage::Signal(at, signal)) => {
                let (at, signal) = (*at, signal.clone());
                let context = self.inspect(&signal).await;
                self.current = None;
                // By the time of the signals: those that wait in the queue are not late.
                if at - self.ticked_at >= TICK.as_secs_f64() {
                    self.ticked_at = at;
                    self.interpreter.tick(at);
                }
                self.interpreter.observe(at, signal, context);
                Ok(None)
            }
            Some(ReaderMessage::Gap(gap)) => {
                let gap = *gap;
                // The server may have been restarted and have lost its settings.
                self.check_setting(now).await?;
                self.current = None;
                Ok(Some(gap))
            }
        }
    }

    /// Returns whether the notifications were off.
    async fn check_setting(&mut self, now: f64) -> Result<bool> {
        self.checked_at = now;
        match &mut self.setting {
            Some(setting) => match setting.check().await {
                // The reader reports when the server is available again.
                Err(error) if error.is_temporary() => Ok(false),
                outcome => outcome,
            },
            None => Ok(false),
        }
    }

    /// Reads from the server the data that a signal lacks, with commands that cause no signals.
    async fn inspect(&mut self, signal: &Signal) -> Context {
        match signal {
            Signal::HeadsWritten(layout, id) => self.context_of(*layout, *id, true).await,
            Signal::BodyMarked(id) => self.context_of(StorageLayout::Hishel1, *id, true).await,
            Signal::HeadsRead(layout, id) | Signal::TtlSet(layout, id) => self.context_of(*layout, *id, false).await,
            Signal::EntryGone(_, id, _) => Context { facts: self.known.remove(id), is_there: false },
            // A client may read the indexes of all layouts, and find the entry in one of them.
            Signal::IndexMissed(StorageLayout::Hishel1, key) => {
                Context { is_there: self.is_there(&layout::index(StorageLayout::Pipeline, key)).await, facts: None }
            }
            Signal::ResultRead(key) => Context { is_there: self.is_there(key).await, facts: None },
            _ => Context::default(),
        }
    }

    async fn context_of(&mut self, layout: StorageLayout, id: Uuid, is_new: bool) -> Context {
        let known = self.known.get(&id).filter(|facts| !is_new && !facts.cache_key.as_bytes().is_empty());
        let facts = match known {
            Some(facts) => Some(facts),
            None => self.entry_facts(layout, id).await,
        };
        Context { facts, is_there: false }
    }

    async fn entry_facts(&self, layout: StorageLayout, id: Uuid) -> Option<Arc<Facts>> {
        let entry = match heads::entry(&self.connection, layout, id).await {
            Ok(entry) => entry?,
            Err(error) => {
                tracing::debug!(%error, "cannot determine the service of an entry");
                return None;
            }
        };
        // Keys alone do not distinguish hishel's layouts; only hishel 2 does not record the storage time.
        let layout = if entry.created_at.is_none() { StorageLayout::Hishel2 } else { layout };
        let facts = Arc::new(Facts {
            id: EntryId::Http(layout, id),
            service: self.services.by_url(&entry.request.url),
            is_deleted: entry.is_deleted(),
            cache_key: entry.cache_key,
            request: Arc::new(RequestLine { method: entry.request.method, url: entry.request.url }),
        });
        self.known.insert(id, Arc::clone(&facts));
        Some(facts)
    }

    /// Whether a key exists. The server counts this command neither as a hit nor as a miss, and sends no notification.
    async fn is_there(&self, key: &[u8]) -> bool {
        debug_assert_ne!(Name::parse(key), Name::Foreign);
        let answer = self.connection.query("OBJECT ENCODING", cmd("OBJECT").arg("ENCODING").arg(key)).await;
        answer.ok().and_then(reply::bytes).is_some()
    }
}

#[async_trait]
impl EventFeed for RedisEventFeed {
    fn source(&self) -> EventSource {
        self.source
    }

    fn since(&self) -> f64 {
        self.begun_at
    }

    fn changed_setting(&self) -> Option<(&str, &str)> {
        self.setting.as_ref()?.changed()
    }

    async fn next(&mut self) -> Option<Result<Observation>> {
        loop {
            if let Some(event) = self.interpreter.next() {
                return Some(Ok(Observation::Event(event)));
            }
            // Reported at the end, too: otherwise the numbers would look complete.
            if let Some(lost) = self.dropped.take() {
                return Some(Ok(Observation::Lost(lost)));
            }
            if self.is_over {
                return None;
            }
            match self.resubscribe().await {
                Ok(None) => {}
                Ok(Some(gap)) => return Some(Ok(Observation::Gap(gap))),
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
    }

    fn stop(&mut self) {
        if !self.is_over {
            self.is_over = true;
            self.reader.abort();
            self.interpreter.finish(clock::now());
        }
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        self.stop();
        match self.setting.take() {
            Some(mut setting) => {
                tokio::task::spawn_blocking(move || setting.put_back()).await.unwrap_or_else(|_| Ok(()))
            }
            None => Ok(()),
        }
    }
}

impl Drop for RedisEventFeed {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
