//! The attribute [`cached_result`], with its documentation: its examples need this crate to compile.

/// Caches the return value of an async function.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # use std::sync::Arc;
/// use cache_core::{Cache, Config, Memory, ResultCache, ServiceRegistry, cached_result};
///
/// #[cached_result(ttl = "24h", prefix = "pages")]
/// async fn fetch_page(results: &ResultCache, id: u32) -> Option<String> {
///     println!("crawling no. {id}");
///     Some("Dan Da Dan".to_owned())
/// }
///
/// let cache = Cache::with_store(Arc::new(Memory::new(ServiceRegistry::default())), &Config::default());
/// let results = cache.results();
/// assert_eq!(fetch_page(&results, 18878).await.as_deref(), Some("Dan Da Dan")); // crawls
/// assert_eq!(fetch_page(&results, 18878).await.as_deref(), Some("Dan Da Dan")); // does not
/// # });
/// ```
///
/// The function returns `T`, `Option<T>`, `Result<T, E>` or `Result<Option<T>, E>`, where `T` implements `Serialize`
/// and `DeserializeOwned`. Neither [`None`] nor errors are stored. See
/// [`ResultCache::get_or_compute`](crate::ResultCache::get_or_compute) for details.
///
/// The key contains the values of all arguments, in their order, as JSON: they must implement `Serialize`, too.
///
/// # Options
/// - `ttl = "24h"`: the TTL, in the format of [humantime](https://docs.rs/humantime); 24 hours by default. Or an
///   expression of type [`Duration`](std::time::Duration), such as `ttl = services.get(name).ttl`, which may
///   use the arguments; zero disables caching.
/// - `prefix = "anisearch_anime"`: the first part of the key, and the name in the counters; the name of the function by
///   default.
/// - `skip(client, depth)`: arguments that are not part of the key, since the result does not depend on them.
/// - `cache = context.results()`: the cache, as a value that implements `AsRef<ResultCache>`; by default the first
///   argument that is a [`Cache`](crate::Cache) or a [`ResultCache`](crate::ResultCache), or a reference to one. That
///   argument is not part of the key.
/// - `schema = "82fce6a05e45281a"`: the schema hash of a function in Python, to share results with it. The key is the
///   pipeline's, in which some different arguments are equal ([`Call::new`](crate::Call::new)). By default the schema is
///   the hash of the function's code and module, so that results are not used any more when the function changes.
///   Formatting changes do not change the hash, nor do changes of functions that it calls.
///
/// # Methods
/// The result of a method may depend on `self`, which is not part of the key. If it does not, `self` is skipped:
///
/// ```
/// # use cache_core::{Cache, cached_result};
/// struct Site { cache: Cache, pages: u32 }
///
/// impl Site {
///     #[cached_result(prefix = "page_title", cache = self.cache, skip(self))]
///     async fn title(&self, id: u32) -> Result<Option<String>, std::io::Error> {
///         # let _ = id;
///         Ok(None)
///     }
/// }
/// ```
///
/// # Type aliases of `Result`
/// [`Result`] is recognized by its name. A type alias of it is rejected at compile time, because its errors would be
/// cached:
///
/// ```compile_fail,E0080
/// # use cache_core::{ResultCache, cached_result};
/// type Fetched = Result<String, String>;
///
/// #[cached_result]
/// async fn fetch(results: &ResultCache, id: u32) -> Fetched {
///     Err(format!("{id} is gone"))
/// }
/// # let cache = cache_core::Cache::with_store(std::sync::Arc::new(cache_core::Memory::new(Default::default())), &Default::default());
/// # let _ = tokio::runtime::Runtime::new().unwrap().block_on(fetch(&cache.results(), 1));
/// ```
pub use cache_core_macros::cached_result;
