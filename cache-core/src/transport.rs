//! Sending requests to an origin. Knows nothing of caches.

pub(crate) mod error;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
#[cfg(feature = "reqwest")]
pub(crate) mod shared;
pub(crate) mod traits;
