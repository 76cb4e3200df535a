//! [`ResultCache`]: look up, wait for others, compute, store.
//!
//! Keys and values are byte-identical to the pipeline's, so that functions in Rust and Python can share results.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::results::call::Call;
use crate::results::lookup::{Lookup, encode};
use crate::runtime::shared::{CacheHandle, CacheMode};

/// A cache of function results, in the pipeline's format. Clones share everything.
///
/// Results are values that implement [`Serialize`] and [`DeserializeOwned`]. [`None`] (JSON `null`) is never stored.
#[derive(Clone)]
pub struct ResultCache {
    core: CacheHandle,
    mode: CacheMode,
    observer: Option<Arc<Observer>>,
}

/// Called after every call.
type Observer = dyn Fn(Observed<'_>) + Send + Sync;

/// The outcome of a cached call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed<'a> {
    /// The Redis key of the result; `None` if the call is not cached.
    pub key: Option<&'a str>,
    /// Whether the result came from the cache.
    pub is_hit: bool,
    /// The JSON of the result; `None` if it is an error or `null`, which are not stored.
    pub value: Option<&'a [u8]>,
}

impl ResultCache {
    pub(crate) fn new(core: CacheHandle) -> Self {
        Self { core, mode: CacheMode::Default, observer: None }
    }

    /// Returns a handle that ignores stored results and replaces them.
    pub fn reload(&self) -> Self {
        Self { mode: CacheMode::Reload, ..self.clone() }
    }

    /// Returns a handle that neither reads nor writes the cache.
    pub fn bypassed(&self) -> Self {
        Self { mode: CacheMode::NoStore, ..self.clone() }
    }

    /// Returns a handle that calls `observer` after every call.
    pub fn observed(&self, observer: impl Fn(Observed<'_>) + Send + Sync + 'static) -> Self {
        Self { observer: Some(Arc::new(observer)), ..self.clone() }
    }

    /// Returns the cached result of `call`, or calls `compute` and stores its result.
    ///
    /// Concurrent calls compute once, within and across processes. Store failures are misses. For fallible functions
    /// see [`ResultCache::get_or_try_compute`].
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use cache_core::{Cache, Call, Config, Memory, ServiceRegistry};
    ///
    /// let cache = Cache::with_store(Arc::new(Memory::new(ServiceRegistry::default())), &Config::default());
    /// let call = Call::new("title", "82fce6a05e45281a").argument(18878).keyword("language", "en");
    /// for computed in ["Dan Da Dan", "never computed"] {
    ///     let title = cache.results().get_or_compute(&call, || async { computed.to_owned() }).await;
    ///     assert_eq!(title, "Dan Da Dan");
    /// }
    /// # });
    /// ```
    pub async fn get_or_compute<T, F>(&self, call: &Call<'_>, compute: impl FnOnce() -> F) -> T
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = T>,
    {
        let Ok(result) = self.get_or_try_compute(call, || async { Ok::<T, Infallible>(compute().await) }).await;
        result
    }

    /// As [`Self::get_or_compute`]; errors are returned and not stored.
    pub async fn get_or_try_compute<T, E, F>(&self, call: &Call<'_>, compute: impl FnOnce() -> F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, E>>,
    {
        let key = call.key();
        let is_used = self.core.is_enabled && self.mode != CacheMode::NoStore;
        let Some(key) = key.as_deref().filter(|_| is_used) else {
            let result = compute().await;
            if self.observer.is_some() {
                self.notify(key.as_deref(), false, result.as_ref().ok().and_then(encode).as_deref());
            }
            return result;
        };
        let mut lookup = Lookup::new(&self.core, call, key);
        let leader = match self.mode {
            CacheMode::Default => match lookup.find().await {
                Ok((value, json)) => {
                    self.notify(Some(key), true, Some(&json));
                    return Ok(value);
                }
                Err(leader) => leader,
            },
            CacheMode::Reload | CacheMode::NoStore => {
                lookup.record_miss();
                None
            }
        };
        lookup.begin().await;
        let start = Instant::now();
        let result = compute().await;
        let time = start.elapsed();
        let value = result.as_ref().ok().and_then(encode);
        let json = value.clone();
        let is_stored = match value {
            Some(value) => lookup.store(value, call.time_to_live(), time).await,
            None => false,
        };
        // Without a result, the next waiter computes: all at once would repeat what just failed.
        if let Some(leader) = leader.filter(|_| is_stored) {
            leader.complete(true).await;
        }
        self.notify(Some(key), false, json.as_deref());
        result
    }

    fn notify(&self, key: Option<&str>, is_hit: bool, value: Option<&[u8]>) {
        if let Some(observer) = &self.observer {
            observer(Observed { key, is_hit, value });
        }
    }
}

impl AsRef<Self> for ResultCache {
    fn as_ref(&self) -> &Self {
        self
    }
}
