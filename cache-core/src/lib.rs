//! An HTTP cache and a function-result cache on Redis or SQLite.
//!
//! Entries are stored in the formats of [hishel](https://hishel.com) 1 and 2 and of the `@cached_result` decorator of a
//! Python anime enrichment pipeline, so that Rust and Python programs can share one cache.
//!
//! - [`Cache`] opens the configured backend and provides both caches.
//! - [`CachedClient`] is an HTTP client that uses the cache, with a fixed TTL or according to RFC 9111 ([`Policy`]).
//! - [`ResultCache`] and [`cached_result`] cache the return values of async functions.
//! - [`Store`] and [`Inspect`] are the storage interface; [`admin`] lists, counts and deletes entries.
//!
//! Backend failures are never reported to callers of the caches: if the backend is unreachable, slow or corrupt, requests
//! are cache misses. Concurrent requests for the same key are fetched once, within a process and across processes.
//!
//! # Example
//!
//! ```
//! use cache_core::{Cache, Config, PolicyKind, ResultCache, ServiceName, ServiceProfile, ServiceRegistry};
//! use cache_core::{cached_result, clock};
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
//! // Responses of this service are stored for a fixed time, whatever its header fields say.
//! let catalog = ServiceProfile { policy: PolicyKind::FixedTtl, ..ServiceProfile::new(ServiceName::new("catalog")) };
//!
//! // Uses Redis, or SQLite while Redis is unreachable.
//! let config = Config { services: ServiceRegistry::new([catalog]), ..Config::default() };
//! # let config = Config { storage: Storage::Sqlite, sqlite: directory.path().to_owned(), ..config };
//! let cache = Cache::open(&config).await?;
//!
//! // The first request is sent to the service; later ones are served from the cache for 24 hours.
//! let title = cache.client(ServiceName::new("catalog")).get(format!("{api}/titles/1")).send().await?;
//! # assert_eq!((title.cache_status().from, title.text().await?), (CacheOutcome::Miss, "{}".into()));
//! # let title = cache.client(ServiceName::new("catalog")).get(format!("{api}/titles/1")).send().await?;
//! # assert_eq!(title.cache_status().from, CacheOutcome::Hit);
//!
//! // Runs once in 24 hours, across all programs that share the cache.
//! crawl(&cache.results(), 18878).await;
//!
//! // Counters of the last hour, for all programs.
//! let counted = cache.stats(clock::now() - 3_600.0).await?;
//!
//! cache.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Services and cache policies
//!
//! [`Config`] is set up in code. Its [`ServiceRegistry`] holds a [`ServiceProfile`] for each [`ServiceName`]: the hosts of
//! the service, its TTL, its cache policy and its rate limit. A service without a profile has the default policy, RFC 9111
//! as a private cache, and the default TTL of 24 hours.
//!
//! [`FixedTtl`] stores every successful response for a fixed time and ignores its header fields, as the pipeline does.
//! [`Rfc9111`] implements RFC 9111 as a private or a shared cache. [`Overrides`] change the policy for one request. [`CachedResponse::cache_status`] returns how a response
//! was served ([`CacheOutcome`]).
//!
//! # Backends
//!
//! [`Redis`] and [`Sqlite`] implement [`Store`] and [`Inspect`]. [`Fallback`] switches to a second store while the first
//! is unreachable, [`MemoryTier`] serves recent entries from memory, [`ReadOnly`] rejects changes, and [`Memory`] is a
//! store for tests. Use [`open()`] to open the configured backend without a [`Cache`].
//!
//! # Metrics and logging
//!
//! The caches count hits, misses and other events by service and result prefix ([`Counters`]), and emit a [`tracing`]
//! event for each request. The message of the event is its name:
//!
//! | event | level | fields |
//! |---|---|---|
//! | `hit` | debug | `service`, `key`, `ttl_left`, `age`, `stale`, `seconds` |
//! | `miss` | debug | `service`, `key`, `seconds`, `fetched_in` |
//! | `revalidate` | debug | `service`, `key`, `ttl_left`, `seconds` |
//! | `store` | debug | `service`, `key`, `ttl`, `seconds` |
//! | `error` | warn | `service`, `key`, `operation` (store errors only), `seconds`, `error` |
//!
//! Times are in seconds: `seconds` is the duration of the request or of the store operation, `fetched_in` the part spent
//! waiting for the origin. `ttl_left` is missing for entries that never expire. Events of the result cache have the
//! additional fields `prefix`, `bytes` and `computed_in` instead of `age`, `stale` and `fetched_in`. Events never contain
//! URLs or header fields.
//!
//! # Custom HTTP clients
//!
//! [`Cache::http`] returns an [`HttpCache`] for any type that implements [`Transport`].
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
pub mod redact;
mod results;
mod runtime;
mod store;
mod transport;

pub use cache::Cache;
pub use circuit_breaker::{CallPermit, CircuitBreaker, Recovery};
pub use config::{Config, Storage};
pub use error::{
    BackendId, BackendKind, BoxError, CertificateProblem, CodecError, Error, RefusalScope, Result, error_chain,
};
pub use format::charset::body_text;
pub use format::content_coding::{decode_body, try_decode_body, write_decoded};
pub use format::http_key::{FormValue, RequestPayload, hishel1_key, pipeline_key};
pub use http::body::Body;
pub use http::cache::HttpCache;
pub use http::cache_status::{CacheOutcome, CacheStatus};
pub use http::client::{CachedClient, RequestBuilder};
pub use http::error::FetchError;
pub use http::overrides::Overrides;
pub use http::response::CachedResponse;
pub use model::capabilities::{Capabilities, ServerMode, ServerRole};
pub use model::change::{Applied, Change, Expiry, ExpiryChange, Fingerprint, StoreIdentity, Target};
pub use model::duration::{MAX_DURATION, parse_duration, parse_seconds};
pub use model::entry::{CacheKind, Entry, EntryId, EntryState, Request, Response, StorageLayout};
pub use model::event::{CacheEvent, EventCounts, EventKind, EventSource, EventTotals, Observation, RequestLine};
pub use model::filter::{BodyPattern, Filter, StatusRange};
pub use model::freshness::Freshness;
pub use model::generation::Generation;
pub use model::glob::Glob;
pub use model::headers::Headers;
pub use model::inspection::{EntryDetails, Health, MemoryLimit, RedisKeyInfo, ServerInfo};
pub use model::key::{CacheKey, HTTP_PREFIX, RESULT_PREFIX, ResultKey};
pub use model::metadata::HishelMetadata;
pub use model::rate_limit::{Quota, RateLimit};
pub use model::record::{
    Base64, ExpiryRecord, HttpRecord, Octets, RawRecord, Record, ResultRecord, Stored, StoredValue,
};
pub use model::redis_url::RedisUrl;
pub use model::service::{DEFAULT_TTL, PolicyKind, ServiceName, ServiceProfile, ServiceRegistry};
pub use model::stats::{Counters, HourlyCounters, Scope, StatsDelta, hit_rate};
pub use model::stored::{LeaseState, RemoveStats, StoredBody, StoredResponse, StoredResult, collect_body};
pub use model::summary::{HttpSummary, Summary};
pub use model::tls::{TlsOptions, TlsVerification};
pub use model::url::authority;
pub use model::window::{StatsSnapshot, StatsWindow};
pub use policy::dispatch::Policy;
pub use policy::fixed_ttl::FixedTtl;
pub use policy::rfc9111::Rfc9111;
pub use results::cache::{Observed, ResultCache};
pub use results::call::Call;
#[cfg(feature = "macros")]
pub use results::macros::cached_result;
pub use store::archive::{Archive, RecordBody, Restored, StoredRecord};
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
    Backend, GenerationStore, LeaseStore, RateLimitStore, ResponseStore, ResponseWriter, ResultStore, StatsStore, Store,
};
pub use transport::error::TransportError;
#[cfg(feature = "reqwest")]
pub use transport::reqwest::{ReqwestOptions, ReqwestTransport};
pub use transport::traits::{BodyStream, FinalUrl, RequestTimeout, Transport};
