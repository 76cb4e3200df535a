//! The result cache: what a function returned, by its arguments.
//!
//! Keys and values are the pipeline's to the byte, so that a function in Rust and one in Python can share what they
//! computed.

mod call;
mod lookup;
mod macros;

use std::convert::Infallible;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::Hold;

pub use call::Call;
use lookup::{Lookup, encode};
pub use macros::cached_result;

/// The results of functions, in the pipeline's format. Clones share everything.
///
/// A result is anything that serde can write and read again. JSON's `null` is never stored, and so neither is
/// [`None`].
#[derive(Clone)]
pub struct ResultCache {
    core: Hold,
}

impl ResultCache {
    pub(crate) fn new(core: Hold) -> Self {
        Self { core }
    }

    /// The stored result of a call, or else what `compute` returns, which is then stored.
    ///
    /// Of many who ask for one call at once, one computes and the others wait for it, in this process and in all that
    /// share the store. A store that fails is a miss. For functions that can fail there is
    /// [`ResultCache::get_or_try_compute`].
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use cache_core::{Cache, Call, Config, Memory, Services};
    ///
    /// let cache = Cache::over(Arc::new(Memory::new(Services::default())), &Config::default());
    /// let call = Call::new("title", "82fce6a05e45281a").argument(18878).keyword("language", "en");
    /// for computed in ["Dan Da Dan", "never asked for"] {
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

    /// The stored result of a call, or else what `compute` returns, which is then stored unless it is an error.
    pub async fn get_or_try_compute<T, E, F>(&self, call: &Call<'_>, compute: impl FnOnce() -> F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, E>>,
    {
        let Some(key) = call.key().filter(|_| self.core.is_enabled) else { return compute().await };
        let mut lookup = Lookup::new(&self.core, call.prefix(), key);
        let lead = match lookup.find().await {
            Ok(value) => return Ok(value),
            Err(lead) => lead,
        };
        let start = Instant::now();
        let result = compute().await;
        let time = start.elapsed();
        let value = result.as_ref().ok().and_then(encode);
        let is_stored = match value {
            Some(value) => lookup.store(value, call.time_to_live(), time).await,
            None => false,
        };
        if let Some(lead) = lead {
            lead.land(is_stored).await;
        }
        result
    }
}

impl AsRef<Self> for ResultCache {
    fn as_ref(&self) -> &Self {
        self
    }
}
