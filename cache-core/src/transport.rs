//! Sending requests to an origin, without any caching.

pub(crate) mod error;
pub(crate) mod reqwest;
pub(crate) mod shared;
pub(crate) mod traits;
