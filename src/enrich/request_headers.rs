//! Headers that most sources send.

/// The `User-Agent` of requests.
pub(crate) const AGENT: &str = concat!("animecache/", env!("CARGO_PKG_VERSION"));
