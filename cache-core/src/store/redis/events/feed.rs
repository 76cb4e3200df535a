//! What happens in a cache, told from outside: from keyspace notifications, or from the commands that the server is
//! given.
//!
//! A task of its own reads what the server sends as fast as it comes, over a connection of its own: a reader that lags
//! would make the server keep for it what it has not read. What cannot be followed is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use redis::cmd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock;
use crate::error::Result;
use crate::model::entry::{EntryId, Layout};
use crate::model::event::{Asked, Seen, Source};
use crate::model::service::ServiceRegistry;
use crate::store::redis::connection::Connection;
use crate::store::redis::events::interpreter::{Context, Facts, Recogniser};
use crate::store::redis::events::notifications::Setting;
use crate::store::redis::events::reader::{Dropped, News, Reader};
use crate::store::redis::events::signal::Sign;
use crate::store::redis::layout::Name;
use crate::store::redis::{heads, layout, reply};

/// Signs that are read and not yet followed; what comes when they are so many is dropped.
const QUEUE: usize = 16_384;

/// Of so many entries it is remembered what they are.
const REMEMBERED: u64 = 10_000;

/// How often it is looked whether something that was waited for has not come.
const TICK: Duration = Duration::from_millis(100);

/// How often it is looked whether notifications are still on, seconds.
const CHECK_EVERY: f64 = 5.0;

/// What happens in a cache, as it happens. Ends when it is dropped; what was changed at the server is then put back,
/// for which [`Events::close`] is the better way.
pub struct Events {
    source: Source,
    since: f64,
    /// When it ends by itself.
    until: Option<f64>,
    connection: Connection,
    services: ServiceRegistry,
    recogniser: Recogniser,
    known: Cache<Uuid, Arc<Facts>>,
    news: mpsc::Receiver<News>,
    /// What is being looked into: kept here, so that a caller who stops waiting loses nothing.
    current: Option<News>,
    dropped: Dropped,
    ticked_at: f64,
    checked_at: f64,
    is_over: bool,
    setting: Option<Setting>,
    reader: JoinHandle<()>,
}

/// Begins to watch; what is asked for has been set up when this returns.
pub(crate) async fn watch(connection: &Connection, services: &ServiceRegistry, source: Source) -> Result<Events> {
    let setting = match source {
        Source::Notifications { enables } => Some(Setting::take(connection, enables).await?),
        Source::Commands { .. } => None,
    };
    let (signs, news) = mpsc::channel(QUEUE);
    let dropped = Dropped::default();
    let reader = Reader::open(connection.clone(), source, signs, dropped.clone()).await?;
    let now = clock::now();
    let until = match source {
        Source::Commands { window, .. } => Some(now + window.as_secs_f64()),
        Source::Notifications { .. } => None,
    };
    #[expect(clippy::disallowed_methods, reason = "the task ends with the watch")]
    let reader = tokio::spawn(reader.run());
    Ok(Events {
        source,
        since: now,
        until,
        connection: connection.clone(),
        services: services.clone(),
        recogniser: Recogniser::new(matches!(source, Source::Commands { .. }), services.clone()),
        known: Cache::builder().max_capacity(REMEMBERED).eviction_policy(EvictionPolicy::lru()).build(),
        news,
        current: None,
        dropped,
        ticked_at: now,
        checked_at: now,
        is_over: false,
        setting,
        reader,
    })
}

impl Events {
    /// Where the events are told from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// When the watch began, in Unix seconds.
    pub fn since(&self) -> f64 {
        self.since
    }

    /// The server's `notify-keyspace-events` before the watch changed it, and while it lasts; `None`: it did not.
    pub fn changed_setting(&self) -> Option<(&str, &str)> {
        self.setting.as_ref()?.changed()
    }

    /// What is seen next; `None`: the watch is over. A call that is given up loses nothing.
    ///
    /// Fails where it cannot go on, as when somebody else has turned notifications off.
    pub async fn next(&mut self) -> Option<Result<Seen>> {
        loop {
            if let Some(event) = self.recogniser.next() {
                return Some(Ok(Seen::Event(event)));
            }
            // The end is no reason to make the numbers look whole.
            if let Some(lost) = self.dropped.take() {
                return Some(Ok(Seen::Lost(lost)));
            }
            if self.is_over {
                return None;
            }
            match self.follow().await {
                Ok(None) => {}
                Ok(Some(gap)) => return Some(Ok(Seen::Gap(gap))),
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
    }

    /// Ends the watch: what was seen and not told yet is still told by [`Events::next`].
    pub fn stop(&mut self) {
        if !self.is_over {
            self.is_over = true;
            self.reader.abort();
            self.recogniser.finish(clock::now());
        }
    }

    /// Ends the watch, and puts back what was changed at the server; fails where that is not possible.
    pub async fn close(mut self) -> Result<()> {
        self.stop();
        match self.setting.take() {
            Some(mut setting) => {
                tokio::task::spawn_blocking(move || setting.put_back()).await.unwrap_or_else(|_| Ok(()))
            }
            None => Ok(()),
        }
    }

    /// Looks into one more sign, or into what has not come for too long. Some: nothing was seen for so long.
    async fn follow(&mut self) -> Result<Option<Duration>> {
        let now = clock::now();
        if self.until.is_some_and(|until| now >= until) {
            self.stop();
            return Ok(None);
        }
        if now - self.checked_at >= CHECK_EVERY {
            self.check_setting(now).await?;
        }
        if self.current.is_none() {
            let left = self.until.map_or(CHECK_EVERY, |until| until - now).clamp(0.0, CHECK_EVERY);
            let patience = Duration::from_secs_f64(left);
            let patience = if self.recogniser.is_waiting() { patience.min(TICK) } else { patience };
            match tokio::time::timeout(patience, self.news.recv()).await {
                Ok(Some(news)) => self.current = Some(news),
                Ok(None) => self.stop(),
                Err(_) => {
                    self.ticked_at = clock::now();
                    self.recogniser.tick(self.ticked_at);
                }
            }
        }
        match &self.current {
            None => Ok(None),
            Some(News::Sign(at, sign)) => {
                let (at, sign) = (*at, sign.clone());
                let context = self.look_into(&sign).await;
                self.current = None;
                // By the time of the signs: those that wait in the queue were not late.
                if at - self.ticked_at >= TICK.as_secs_f64() {
                    self.ticked_at = at;
                    self.recogniser.tick(at);
                }
                self.recogniser.observe(at, sign, context);
                Ok(None)
            }
            Some(News::Gap(gap)) => {
                let gap = *gap;
                // The server may have been restarted, and have forgotten its settings.
                self.check_setting(now).await?;
                self.current = None;
                Ok(Some(gap))
            }
        }
    }

    async fn check_setting(&mut self, now: f64) -> Result<()> {
        self.checked_at = now;
        match &mut self.setting {
            Some(setting) => match setting.check().await {
                // The reader says when the server is back.
                Err(error) if error.is_temporary() => Ok(()),
                outcome => outcome,
            },
            None => Ok(()),
        }
    }

    /// Asks the server what a sign does not say itself, without leaving traces that would be signs again.
    async fn look_into(&mut self, sign: &Sign) -> Context {
        match sign {
            Sign::HeadsWritten(layout, id) => self.context_of(*layout, *id, true).await,
            Sign::BodyMarked(id) => self.context_of(Layout::Hishel1, *id, true).await,
            Sign::HeadsRead(layout, id) | Sign::TtlSet(layout, id) => self.context_of(*layout, *id, false).await,
            Sign::EntryGone(_, id, _) => Context { facts: self.known.remove(id), is_there: false },
            // Somebody may ask for the indexes of all layouts, and find what he wants in one of them.
            Sign::IndexMissed(Layout::Hishel1, key) => {
                Context { is_there: self.is_there(&layout::index(Layout::Pipeline, key)).await, facts: None }
            }
            Sign::ResultRead(key) => Context { is_there: self.is_there(key).await, facts: None },
            _ => Context::default(),
        }
    }

    async fn context_of(&mut self, layout: Layout, id: Uuid, is_new: bool) -> Context {
        let known = self.known.get(&id).filter(|facts| !is_new && !facts.cache_key.as_bytes().is_empty());
        let facts = match known {
            Some(facts) => Some(facts),
            None => self.facts(layout, id).await,
        };
        Context { facts, is_there: false }
    }

    async fn facts(&self, layout: Layout, id: Uuid) -> Option<Arc<Facts>> {
        let entry = match heads::entry(&self.connection, layout, id).await {
            Ok(entry) => entry?,
            Err(error) => {
                tracing::debug!(%error, "whose an entry is cannot be told");
                return None;
            }
        };
        // Names alone do not tell hishel's layouts apart; only hishel 2 does not say when an entry was stored.
        let layout = if entry.created_at.is_none() { Layout::Hishel2 } else { layout };
        let facts = Arc::new(Facts {
            id: EntryId::Http(layout, id),
            service: self.services.by_url(&entry.request.url),
            is_deleted: entry.is_deleted(),
            cache_key: entry.cache_key,
            request: Arc::new(Asked { method: entry.request.method, url: entry.request.url }),
        });
        self.known.insert(id, Arc::clone(&facts));
        Some(facts)
    }

    /// Whether a key is there. Of the commands that tell, this one is not counted as a hit or a miss by the server and
    /// causes no notification.
    async fn is_there(&self, key: &[u8]) -> bool {
        debug_assert_ne!(Name::parse(key), Name::Foreign);
        let answer = self.connection.query("OBJECT ENCODING", cmd("OBJECT").arg("ENCODING").arg(key)).await;
        answer.ok().and_then(reply::bytes).is_some()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
