//! Counters that survive their process, and events.

#![allow(clippy::unwrap_used)]

#[path = "harness/fixed_ttl.rs"]
mod fixed_ttl;
#[path = "harness/origin.rs"]
mod origin;
#[path = "harness/redis_server.rs"]
mod redis_server;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_core::{
    Cache, Call, Config, IfMissing, Inspect, Memory, PolicyKind, Redis, RedisUrl, ServiceName, ServiceRegistry, Sqlite,
    clock,
};
use cache_core::{Counters, Scope, StatsWindow};
use origin::{Origin, response};
use redis_server::RedisServer;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

const DEADLINE: Duration = Duration::from_secs(30);

fn redis(url: &str) -> Arc<dyn Inspect> {
    let config = Config { redis_url: RedisUrl::new(url), ..Config::default() };
    Arc::new(Redis::new(&config).unwrap())
}

fn cache(store: Arc<dyn Inspect>) -> Cache {
    Cache::with_store(store, &Config { services: fixed_ttl::fixed_ttl(), ..Config::default() })
}

fn scope() -> Scope {
    Scope::Result("anisearch_anime".into())
}

async fn compute(cache: &Cache, argument: u64) {
    let call = Call::new("anisearch_anime", "82fce6a05e45281a").argument(argument);
    cache.results().get_or_compute(&call, || async { argument }).await;
}

async fn counted(store: &dyn Inspect, scope: &Scope) -> Counters {
    let counted = store.stats(StatsWindow::Week.since(clock::now())).await.unwrap_or_default();
    let ever = counted.ever.get(scope).copied().unwrap_or_default();
    assert_eq!(counted.within(StatsWindow::Day, clock::now()).get(scope).copied().unwrap_or_default(), ever);
    ever
}

/// Two caches with separate connections, as in two processes.
async fn two_caches_add_up(first: Arc<dyn Inspect>, second: Arc<dyn Inspect>) {
    let origin = Origin::start(|_| response(200, &[], "12345")).await;
    for store in [&first, &second] {
        let cache = cache(Arc::clone(store));
        for argument in [1, 2, 1] {
            compute(&cache, argument).await;
        }
        for _ in 0..2 {
            let client = cache.client(ServiceName::new("kitsu"));
            client.get(origin.url("/x")).send().await.unwrap().text().await.unwrap();
        }
        cache.close().await;
    }
    let results = counted(&*second, &scope()).await;
    assert_eq!((results.hits, results.misses, results.stores, results.errors), (4, 2, 2, 0));
    assert!(results.lookup_micros > 0);
    let http = counted(&*second, &Scope::Http(ServiceName::new("kitsu"))).await;
    assert_eq!((http.hits, http.misses, http.stores, http.bytes), (3, 1, 1, 15));
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_on_one_redis_add_up() {
    let url = RedisServer::fresh_database();
    two_caches_add_up(redis(&url), redis(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_on_one_file_add_up() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("http_cache.db");
    let open = async || Arc::new(Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create).await.unwrap());
    two_caches_add_up(open().await, open().await).await;
}

/// Waits for the expected counters; returns them as they are at the deadline.
async fn until(store: &dyn Inspect, is_right: impl Fn(&Counters) -> bool) -> Counters {
    let mut seen = Counters::default();
    let right = async {
        loop {
            seen = counted(store, &scope()).await;
            if is_right(&seen) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(DEADLINE, right).await;
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_of_an_outage_are_sent_once_after_recovery() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let cache = cache(redis(&url));
    compute(&cache, 1).await;
    // In the background, without closing.
    assert_eq!(until(&*redis(&url), |counts| counts.stores == 1).await.misses, 1);

    let stopped = server.stop();
    for argument in 0..50 {
        compute(&cache, argument).await;
    }
    // The new store is empty: what it gets is what was not acknowledged.
    let _server = stopped.start();
    let message = until(&*redis(&url), |counts| counts.misses >= 50).await;
    assert_eq!((message.hits, message.misses, message.stores), (0, 50, 0));
    assert!(message.errors > 0);
    cache.close().await;
    assert_eq!(counted(&*redis(&url), &scope()).await.misses, 50);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_flushed_after_the_end() {
    let store = Memory::new(ServiceRegistry::default());
    let cache = cache(Arc::new(store.clone()));
    let results = cache.results();
    let call = Call::new("anisearch_anime", "82fce6a05e45281a").argument(1);
    cache.close().await;
    results.get_or_compute(&call, || async { 1 }).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(counted(&store, &scope()).await, Counters::default());
}

/// Level, message and field names of an event.
type BodyCoding = Vec<(Level, String, BTreeSet<&'static str>)>;

/// Records every event of the caches.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<BodyCoding>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("cache_core")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push((*event.metadata().level(), fields.message, fields.names));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    names: BTreeSet<&'static str>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        assert!(!text.contains("secret"), "{field}: {text}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.names.insert(field.name());
        }
    }
}

/// On one thread, so that the subscriber also gets the events of tasks.
#[tokio::test]
async fn every_request_has_an_event() {
    let listener = Listener::default();
    let _listening = tracing::subscriber::set_default(listener.clone());
    let mut config = Config { services: fixed_ttl::fixed_ttl(), ..Config::default() };
    config.services.get_mut(ServiceName::new("kitsu")).policy = PolicyKind::Rfc9111;
    let cache = Cache::with_store(Arc::new(Memory::new(ServiceRegistry::default())), &config);
    let origin = Origin::start(|seen| match seen.field("if-none-match") {
        Some(_) => response(304, &[("ETag", "\"1\"")], ""),
        None => response(200, &[("ETag", "\"1\""), ("Cache-Control", "no-cache")], "{}"),
    })
    .await;
    for service in [ServiceName::new("jikan"), ServiceName::new("kitsu")] {
        for _ in 0..2 {
            let request = cache.client(service).get(origin.url("/x?token=secret"));
            request.header("authorization", "secret").send().await.unwrap().text().await.unwrap();
        }
    }
    let nowhere = "http://127.0.0.1:1/secret";
    assert!(cache.client(ServiceName::new("anidb")).get(nowhere).send().await.is_err());
    for _ in 0..2 {
        compute(&cache, 1).await;
    }
    cache.close().await;

    let told = listener.0.lock().unwrap().clone();
    for (level, message, fields) in [
        (Level::DEBUG, "miss", &["service", "key", "seconds", "fetched_in"][..]),
        (Level::DEBUG, "store", &["service", "key", "ttl", "seconds"]),
        (Level::DEBUG, "hit", &["service", "key", "ttl_left", "age", "stale", "seconds"]),
        (Level::DEBUG, "revalidate", &["service", "key", "ttl_left", "seconds"]),
        (Level::WARN, "error", &["service", "key", "seconds", "error"]),
        (Level::DEBUG, "miss", &["service", "prefix", "key", "seconds"]),
        (Level::DEBUG, "store", &["service", "prefix", "key", "ttl", "bytes", "seconds", "computed_in"]),
        (Level::DEBUG, "hit", &["service", "prefix", "key", "ttl_left", "bytes", "seconds"]),
    ] {
        let event = (level, message.to_owned(), fields.iter().copied().collect());
        assert!(told.contains(&event), "{event:?} is not among {told:#?}");
    }
}
