//! The result cache, on every store.

#![allow(clippy::unwrap_used)]

#[path = "../harness/redis_server.rs"]
mod redis_server;

mod failures;
mod sharing;
mod storing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_core::{
    Cache, Call, Config, IfMissing, Inspect, Memory, Redis, RedisUrl, ResultCache, ServiceRegistry, Sqlite,
};
use redis_server::RedisServer;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// The store under test.
enum On {
    Memory,
    Redis,
    Sqlite,
}

struct Subject {
    results: ResultCache,
    cache: Cache,
    store: Arc<dyn Inspect>,
    _directory: TempDir,
}

impl On {
    async fn open(self) -> Subject {
        self.open_with(Config::default()).await
    }

    async fn open_with(self, config: Config) -> Subject {
        let directory = tempfile::tempdir().unwrap();
        let store: Arc<dyn Inspect> = match self {
            Self::Memory => Arc::new(Memory::new(ServiceRegistry::default())),
            Self::Redis => Arc::new(redis(RedisServer::fresh_database())),
            Self::Sqlite => {
                let file = directory.path().join("http_cache.db");
                Arc::new(Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create).await.unwrap())
            }
        };
        let cache = Cache::with_store(Arc::clone(&store), &config);
        Subject { results: cache.results(), cache, store, _directory: directory }
    }
}

fn redis(url: String) -> Redis {
    Redis::new(&Config { redis_url: RedisUrl::new(url), ..Config::default() }).unwrap()
}

fn call() -> Call<'static> {
    Call::new("anisearch_anime", "82fce6a05e45281a").argument("18878,dan-da-dan")
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Anime {
    title: String,
    score: Option<f64>,
    tags: Vec<String>,
    episodes: BTreeMap<u32, String>,
}

fn anime() -> Anime {
    Anime {
        title: "ダンダダン \"Dan Da Dan\"\n".into(),
        score: Some(8.0),
        tags: vec!["science-fiction".into(), "café".into()],
        episodes: BTreeMap::from([
            (10, "Have You Ever Seen a Cattle Mutilation?".into()),
            (9, "Merge! Serpo Dover Demon Nessie!".into()),
        ]),
    }
}

/// A function that counts its calls.
#[derive(Clone, Default)]
struct Function(Arc<AtomicUsize>);

impl Function {
    fn returns<T>(&self, value: T) -> impl Future<Output = T> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::ready(value)
    }

    fn runs(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
