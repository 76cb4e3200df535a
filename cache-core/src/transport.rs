//! Sending requests to an origin, without any caching.

pub(crate) mod error;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
#[cfg(feature = "reqwest")]
pub(crate) mod shared;
pub(crate) mod traits;
