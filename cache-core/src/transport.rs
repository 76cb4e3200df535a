//! Sending requests to an origin. Knows nothing of caches.

pub(crate) mod error;
pub(crate) mod reqwest;
pub(crate) mod shared;
pub(crate) mod traits;
