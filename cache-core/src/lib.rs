//! The cache of an anime enrichment pipeline: HTTP responses and function results, kept in Redis, or in SQLite
//! where there is no Redis, and shared with the pipeline's Python programs.
//!
//! What is in it is read and written in the formats that the Python programs use (hishel 1 and 2, the pipeline's own
//! layout, its `@cached_result` decorator), so that both sides hit what the other stored.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use cache_core::{DEFAULT_TTL, Filter, Inspect, Memory, Service, Services, Store};
//!
//! let store = Memory::new(Services::default());
//! store.put_result("result_cache:anisearch_anime:82fce6a05e45281a:18878", "{}".into(), DEFAULT_TTL).await?;
//! let filter = Filter { services: vec![Service::AniSearch], ..Filter::default() };
//! let page = store.scan(&filter, None, 100).await?;
//! assert_eq!(page.entries.len(), 1);
//! # Ok::<(), cache_core::Error>(()) }).unwrap();
//! ```

#![deny(missing_docs)]

pub mod admin;
mod cache;
pub mod clock;
mod coalesce;
pub mod codec;
mod config;
pub mod counters;
mod entry;
mod error;
mod event;
mod filter;
mod glob;
mod grace;
mod http;
pub mod key;
mod policy;
mod python;
mod result;
mod service;
mod store;
mod summary;
mod tasks;

pub use cache::Cache;
pub use config::{Config, RedisUrl, Storage, without_secrets};
pub use entry::{Entry, EntryId, Extra, Headers, Kind, Layout, Request, Response, State};
pub use error::{Backend, BackendKind, BoxError, CodecError, Error, Result, chain};
pub use event::{Asked, Event, EventKind, Happened, Sample, Seen, Source};
pub use filter::{BodyPattern, Filter, StatusRange};
pub use glob::Glob;
pub use http::{
    Body, CachedClient, FetchError, Fetched, FinalUrl, HttpCache, Incoming, RequestBuilder, Reqwest, ReqwestOptions,
    SendError, Sender, Served, ServedFrom, Timeout,
};
pub use key::{Argument, CacheKey, Form, Payload, ResultKey};
pub use policy::{Freshness, Policy, Specification, Ttl};
pub use result::{Call, ResultCache, cached_result};
pub use service::{DEFAULT_TTL, PolicyName, Service, Services, Token, authority};
pub use store::fallback::Fallback;
pub use store::memory::Memory;
pub use store::open::{OpenOptions, Opened, WhenUnreachable, open};
pub use store::readonly::ReadOnly;
pub use store::redis::{Events, Redis};
pub use store::scan::pages;
pub use store::sqlite::{Missing, Sqlite};
pub use store::{
    Claim, Cursor, Found, Health, Info, Inspect, Inspected, KeyFact, Page, Removed, Store, StoredBody, Writer, whole,
};
pub use summary::{HttpSummary, Summary};
