//! A cache of HTTP responses and function results, kept in Redis, or in SQLite
//! where there is no Redis, and shared with the pipeline's Python programs.
//!
//! What is in it is read and written in the formats that the Python programs use (hishel 1 and 2, the pipeline's own
//! layout, its `@cached_result` decorator), so that both sides hit what the other stored.
//!
//! ```
//! use cache_core::{Cache, Config, ResultCache, ServiceName, cached_result, clock};
//! # use cache_core::{CacheOutcome, Storage};
//! # use std::{io::{Read as _, Write as _}, net::TcpListener, thread};
//! # let directory = tempfile::tempdir()?;
//! # let listener = TcpListener::bind(("127.0.0.1", 0))?;
//! # let api = format!("http://{}/v4", listener.local_addr()?);
//! # thread::spawn(move || {
//! #     let (mut connection, _) = listener.accept().unwrap();
//! #     let _ = connection.read(&mut [0; 1024]);
//! #     let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
//! # });
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! #[cached_result(ttl = "24h", prefix = "pages")]
//! async fn crawl(results: &ResultCache, id: u32) -> Option<String> {
//!     Some(format!("what a browser found at {id}"))
//! }
//!
//! let config = Config::default();
//! # let config = Config { storage: Storage::Sqlite, sqlite: directory.path().to_owned(), ..Config::default() };
//! let cache = Cache::open(&config).await?; // Redis, or SQLite where Redis does not answer
//! let title = cache.client(ServiceName::new("catalog")).get(format!("{api}/titles/1")).send().await?; // stored for a day
//! # assert_eq!((title.served().from, title.text().await?), (CacheOutcome::Miss, "{}".into()));
//! # let title = cache.client(ServiceName::new("catalog")).get(format!("{api}/titles/1")).send().await?;
//! # assert_eq!(title.served().from, CacheOutcome::Hit);
//! crawl(&cache.results(), 18878).await; // runs once in 24 hours, in whatever program
//! let counted = cache.counted(clock::now() - 3_600.0).await?; // hits, misses and more of the last hour
//! cache.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it tells
//!
//! The caches count, for each service and each prefix of results ([`counters`]), and emit a [`tracing`] event, which
//! bears its kind as its message, for what happens to each request:
//!
//! | event | level | fields |
//! |---|---|---|
//! | `hit` | debug | `service`, `key`, `ttl_left`, `age`, `stale`, `seconds` |
//! | `miss` | debug | `service`, `key`, `seconds`, `fetched_in` |
//! | `revalidate` | debug | `service`, `key`, `ttl_left`, `seconds` |
//! | `store` | debug | `service`, `key`, `ttl`, `seconds` |
//! | `error` | warn | `service`, `key`, `operation` (where it is the store's), `seconds`, `error` |
//!
//! Times are seconds: `seconds` since the caller asked, or what the store's operation took, `fetched_in` what the
//! origin took of them; `ttl_left` is not there for what never expires. Events of results also have their `prefix`, and
//! `bytes` and `computed_in` in place of `age`, `stale` and `fetched_in`. No event has a URL or a header.
//!
//! [`HttpCache`] puts another sender behind the same cache, [`Store`] and [`Inspect`] are the storage itself, and
//! [`admin`] is what an administrator does with it.
//!
//! # Features
//!
//! All are on by default: `redis` ([`Redis`]), `sqlite` ([`Sqlite`], the fallback for Redis), `reqwest`
//! ([`Cache::client`], [`ReqwestTransport`]) and `macros` ([`macro@cached_result`]). Without any of them, the caches work
//! with [`Memory`] or another [`Store`], and with another [`Transport`]. [`open`] returns [`Error::Config`] for a storage
//! whose feature is off.
#![deny(missing_docs)]

pub mod admin;
mod cache;
mod circuit_breaker;
pub mod clock;
mod config;
mod error;
mod format;
mod http;
mod model;
mod policy;
mod results;
mod runtime;
mod store;
mod transport;

pub use cache::Cache;
pub use circuit_breaker::{CallPermit, CircuitBreaker, Recovery};
pub use config::{Config, RedisUrl, Storage};
pub use error::{BackendId, BackendKind, BoxError, CodecError, Error, RefusalScope, Result, error_chain};
pub use format::http_key::{FormValue, RequestPayload, hishel1_key, pipeline_key};
pub use format::result_key::Argument;
pub use format::{content_coding, hex, http_date, msgpack, result_key, title};
pub use http::body::Body;
pub use http::cache::HttpCache;
pub use http::cache_status::{CacheOutcome, CacheStatus};
pub use http::client::{CachedClient, RequestBuilder};
pub use http::error::FetchError;
pub use http::response::CachedResponse;
pub use model::entry::{CacheKind, Entry, EntryId, EntryState, Request, Response, StorageLayout};
pub use model::event::{CacheEvent, EventCounts, EventKind, EventSource, EventTotals, Observation, RequestLine};
pub use model::filter::{BodyPattern, Filter, StatusRange};
pub use model::freshness::Freshness;
pub use model::glob::Glob;
pub use model::headers::Headers;
pub use model::inspection::{EntryDetails, Health, RedisKeyInfo, ServerInfo};
pub use model::key::{CacheKey, HTTP_PREFIX, RESULT_PREFIX, ResultKey};
pub use model::metadata::HishelMetadata;
pub use model::rate_limit::{Quota, RateLimit};
pub use model::service::{DEFAULT_TTL, PolicyKind, ServiceName, ServiceProfile, ServiceRegistry};
pub use model::stats::{Counters, HourlyCounters, RETENTION, Scope, StatsDelta, hit_rate};
pub use model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult, collect_body};
pub use model::summary::{HttpSummary, Summary};
pub use model::url::{authority, redact};
pub use model::window::{StatsSnapshot, StatsWindow};
pub use policy::dispatch::Policy;
pub use policy::fixed_ttl::FixedTtl;
pub use policy::freshness::freshness;
pub use policy::rfc9111::Rfc9111;
pub use results::cache::{Observed, ResultCache};
pub use results::call::Call;
#[cfg(feature = "macros")]
pub use results::macros::cached_result;
pub use store::events::EventFeed;
pub use store::inspect::Inspect;
pub use store::invalidation::InvalidationListener;
pub use store::layered::fallback::Fallback;
pub use store::layered::memory_tier::MemoryTier;
pub use store::layered::read_only::ReadOnly;
pub use store::memory::Memory;
pub use store::open::{OpenOptions, Opened, WhenUnreachable, open};
pub use store::page::{Cursor, Page};
pub use store::paging::pages;
#[cfg(feature = "redis")]
pub use store::redis::store::Redis;
#[cfg(feature = "sqlite")]
pub use store::sqlite::if_missing::IfMissing;
#[cfg(feature = "sqlite")]
pub use store::sqlite::store::Sqlite;
pub use store::traits::{
    Backend, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};
pub use transport::error::TransportError;
#[cfg(feature = "reqwest")]
pub use transport::reqwest::{ReqwestOptions, ReqwestTransport};
pub use transport::traits::{BodyStream, FinalUrl, RequestTimeout, Transport};
