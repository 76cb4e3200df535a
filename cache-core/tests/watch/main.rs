//! Watching a real server while programs use the cache in it, by the commands that the pipeline's own code sends.

#![allow(clippy::unwrap_used)]

mod gaps;
mod monitor;
mod notifications;
#[path = "../harness/pair.rs"]
mod pair;
#[path = "../harness/redis_server.rs"]
mod redis_server;
#[path = "../harness/services.rs"]
mod services;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    CacheEvent, CacheKey, CacheKind, Config, Entry, EntryId, Error, EventFeed, EventKind, EventSource, EventTotals,
    Inspect, Memory, Observation, ReadOnly, Redis, RedisUrl, Request, Response, ResponseStore as _, ServiceName,
    ServiceRegistry, StorageLayout, clock,
};
use futures_util::FutureExt as _;
use redis::{Connection, cmd};
use redis_server::RedisServer;
use rstest::rstest;
use uuid::Uuid;

const NOTIFICATIONS: EventSource = EventSource::Notifications { enables: true };
const COMMANDS: EventSource = EventSource::Commands { window: Duration::from_secs(60), limit: 1_000_000 };
const SETTING: &str = "notify-keyspace-events";

/// A server of its own, since settings are of the whole server.
struct Watched {
    server: RedisServer,
    store: Redis,
    redis: Connection,
}

impl Watched {
    fn new() -> Self {
        // A server looks through only some of its databases a time for what has expired.
        let server = RedisServer::start("--databases 4");
        let config = Config {
            redis_url: RedisUrl::new(format!("redis://{}/3", server.address())),
            services: services::services(),
            ..Config::default()
        };
        let redis = connect(&server, 3);
        Self { store: Redis::new(&config).unwrap(), redis, server }
    }

    async fn watch(&self, source: EventSource) -> Box<dyn EventFeed> {
        self.store.watch(source).await.unwrap().unwrap()
    }

    fn setting(&mut self) -> String {
        let (_, value): (String, String) = cmd("CONFIG").arg("GET").arg(SETTING).query(&mut self.redis).unwrap();
        value
    }

    fn set(&mut self, value: &str) {
        cmd("CONFIG").arg("SET").arg(SETTING).arg(value).exec(&mut self.redis).unwrap();
    }

    /// Everything that was seen of what was done before; ends the watch.
    async fn all(&mut self, mut events: Box<dyn EventFeed>) -> Vec<CacheEvent> {
        cmd("GET").arg("result_cache:the_end").exec(&mut self.redis).unwrap();
        let mut all = Vec::new();
        loop {
            let event = next(&mut *events).await;
            if event.id == Some(EntryId::key(*b"result_cache:the_end")) {
                break;
            }
            all.push(event);
        }
        events.stop();
        while let Some(seen) = events.next().await {
            match seen.unwrap() {
                Observation::Event(event) => all.push(event),
                other => panic!("{other:?}"),
            }
        }
        events.close().await.unwrap();
        all
    }
}

fn connect(server: &RedisServer, database: u8) -> Connection {
    redis::Client::open(format!("redis://{}/{database}", server.address())).unwrap().get_connection().unwrap()
}

async fn seen(events: &mut dyn EventFeed) -> Result<Observation, Error> {
    tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("something is seen").unwrap()
}

async fn next(events: &mut dyn EventFeed) -> CacheEvent {
    match seen(events).await.unwrap() {
        Observation::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

/// The pipeline's `AsyncRedisStorage`, command by command.
struct Pipelines<'a>(&'a mut Connection);

impl Pipelines<'_> {
    fn index(key: &str) -> String {
        let hex = |digits: String, byte| digits + &format!("{byte:02x}");
        key.bytes().fold("hishel_cache:key_index:".to_owned(), hex)
    }

    fn entry(id: Uuid) -> String {
        format!("hishel_cache:entry:{id}")
    }

    fn pack(id: Uuid, key: &str, url: &str, deleted_at: Option<f64>) -> Vec<u8> {
        pair::encode_pair(&Entry {
            id,
            cache_key: CacheKey::new(key.as_bytes()),
            request: Request { method: "GET".into(), url: url.into(), ..Request::default() },
            response: Response { status_code: 200, ..Response::default() },
            created_at: Some(clock::now()),
            deleted_at,
        })
    }

    /// `get_entries`: how many there were.
    fn look_up(&mut self, key: &str) -> usize {
        let index = Self::index(key);
        let ids: Vec<Uuid> = cmd("SMEMBERS")
            .arg(&index)
            .query::<Vec<String>>(self.0)
            .unwrap()
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        let mut found = 0;
        for id in ids {
            let heads: Vec<Vec<u8>> = cmd("HGETALL").arg(Self::entry(id)).query(self.0).unwrap();
            let Some(data) = heads.chunks(2).find(|field| field[0] == b"data").map(|field| &field[1]) else { continue };
            if pair::is_deleted(data) {
                continue;
            }
            for part in ["entry", "stream"] {
                cmd("EXPIRE").arg(format!("hishel_cache:{part}:{id}")).arg(86_400).exec(self.0).unwrap();
            }
            if (0..86_400).contains(&cmd("TTL").arg(&index).query::<i64>(self.0).unwrap()) {
                cmd("EXPIRE").arg(&index).arg(86_400).exec(self.0).unwrap();
            }
            cmd("LRANGE").arg(format!("hishel_cache:stream:{id}")).arg(0).arg(-1).exec(self.0).unwrap();
            found += 1;
        }
        found
    }

    /// `create_entry` and the reading of its body.
    fn store(&mut self, key: &str, url: &str, ttl: i64) -> Uuid {
        let id = Uuid::new_v4();
        let (index, entry, stream) = (Self::index(key), Self::entry(id), format!("hishel_cache:stream:{id}"));
        let left: i64 = cmd("TTL").arg(&index).query(self.0).unwrap();
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("HSET").arg(&entry).arg("data").arg(Self::pack(id, key, url, None));
        pipe.cmd("SADD").arg(&index).arg(id.to_string()).cmd("EXPIRE").arg(&entry).arg(ttl);
        if left == -2 || (0..ttl).contains(&left) {
            pipe.cmd("EXPIRE").arg(&index).arg(ttl);
        }
        pipe.exec(self.0).unwrap();
        for chunk in ["{}", "__STREAM_COMPLETE__"] {
            cmd("RPUSH").arg(&stream).arg(chunk).exec(self.0).unwrap();
        }
        cmd("EXPIRE").arg(&stream).arg(ttl).exec(self.0).unwrap();
        id
    }

    /// A request of the pipeline's HTTP client.
    fn fetch(&mut self, key: &str, url: &str) {
        if self.look_up(key) == 0 {
            self.store(key, url, 86_400);
        }
    }

    /// `remove_entry`.
    fn remove(&mut self, id: Uuid, key: &str, url: &str) {
        cmd("HGETALL").arg(Self::entry(id)).exec(self.0).unwrap();
        let data = Self::pack(id, key, url, Some(clock::now()));
        cmd("HSET").arg(Self::entry(id)).arg("data").arg(data).arg("deleted_at").arg("1").exec(self.0).unwrap();
    }

    /// A call of a function with `@cached_result`.
    fn call(&mut self, key: &str) {
        if cmd("GET").arg(key).query::<Option<String>>(self.0).unwrap().is_none() {
            cmd("SETEX").arg(key).arg(86_400).arg("{}").exec(self.0).unwrap();
        }
    }
}

const JIKAN: &str = "https://api.jikan.moe/v4/anime/1";
const KITSU: &str = "https://kitsu.io/api/edge/anime/1";
const RESULT: &str = "result_cache:anisearch_anime:82fce6a05e45281a:18878";

/// What the pipeline might do in a while.
fn enrich(redis: &mut Connection) {
    let mut pipeline = Pipelines(redis);
    for _ in 0..3 {
        pipeline.fetch("GET:1", JIKAN);
    }
    pipeline.fetch("GET:2", JIKAN);
    pipeline.fetch("GET:3", KITSU);
    for _ in 0..4 {
        pipeline.call(RESULT);
    }
    // Two entries of one key: one lookup, although both are renewed.
    pipeline.store("GET:3", KITSU, 86_400);
    assert_eq!(pipeline.look_up("GET:3"), 2);
    let id = pipeline.store("GET:4", KITSU, 86_400);
    pipeline.remove(id, "GET:4", KITSU);
    assert_eq!(pipeline.look_up("GET:5"), 0);
}

fn sample(events: &[CacheEvent]) -> EventTotals {
    let mut sample = EventTotals::default();
    for event in events {
        sample.add(&Observation::Event(event.clone()));
    }
    sample
}

/// Hits, misses, stores, refreshes, expiries, evictions, removals.
fn counts(sample: &EventTotals, service: Option<ServiceName>, cache: CacheKind) -> [u64; 7] {
    let happened = sample.counts.get(&(service, cache)).copied().unwrap_or_default();
    EventKind::ALL.map(|kind| happened.get(kind))
}
