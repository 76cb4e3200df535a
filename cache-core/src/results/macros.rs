//! The attribute on functions, with its documentation: here, where what it promises can be compiled and run.

/// Caches what an async function returns.
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
/// let cache = Cache::over(Arc::new(Memory::new(ServiceRegistry::default())), &Config::default());
/// let results = cache.results();
/// assert_eq!(fetch_page(&results, 18878).await.as_deref(), Some("Dan Da Dan")); // crawls
/// assert_eq!(fetch_page(&results, 18878).await.as_deref(), Some("Dan Da Dan")); // does not
/// # });
/// ```
///
/// The function returns `T`, `Option<T>`, `Result<T, E>` or `Result<Option<T>, E>`, where serde can write `T` and read
/// it again. Neither [`None`] nor errors are stored. What else holds is said at
/// [`ResultCache::get_or_compute`](crate::ResultCache::get_or_compute).
///
/// The key has the values of all arguments, in their order, as the pipeline writes them: serde must be able to write
/// those too.
///
/// # Options
/// - `ttl = "24h"`: how long a result lives, as [humantime](https://docs.rs/humantime) has it; 24 hours unless given. Or
///   an expression that is a [`Duration`](std::time::Duration), such as `ttl = services.get(name).ttl`, which
///   sees the arguments; zero caches nothing.
/// - `prefix = "pages"`: the first part of the key, and the name in the counters; the function's name unless
///   given.
/// - `skip(client, depth)`: arguments that are no part of the key, since the result does not depend on them.
/// - `cache = context.results()`: where the cache is, as anything that is `AsRef<ResultCache>`; the first argument that
///   is a [`Cache`](crate::Cache) or a [`ResultCache`](crate::ResultCache) unless given, or a reference to one. That
///   argument is no part of the key.
/// - `schema = "82fce6a05e45281a"`: the schema hash, to share results with a function that was written elsewhere, in
///   Python, say. Unless given, it is made of the function's code and of its module, so that results are left behind
///   when the function changes: not when it is only laid out anew, nor when a function that it calls changes.
///
/// # Methods
/// What a method returns may depend on `self`, which is no part of the key. Where it does not, say so:
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
/// # Results under another name
/// A [`Result`] is told by its name. What is one under another name does not compile, since its errors would be stored:
///
/// ```compile_fail,E0080
/// # use cache_core::{ResultCache, cached_result};
/// type Fetched = Result<String, String>;
///
/// #[cached_result]
/// async fn fetch(results: &ResultCache, id: u32) -> Fetched {
///     Err(format!("{id} is gone"))
/// }
/// # let cache = cache_core::Cache::over(std::sync::Arc::new(cache_core::Memory::new(Default::default())), &Default::default());
/// # let _ = tokio::runtime::Runtime::new().unwrap().block_on(fetch(&cache.results(), 1));
/// ```
pub use cache_core_macros::cached_result;
