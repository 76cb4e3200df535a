//! Storage backends: the traits [`traits`] (used by the caches) and [`inspect`] (administration), and their
//! implementations.

pub(crate) mod archive;
pub(crate) mod events;
pub(crate) mod inspect;
pub(crate) mod invalidation;
pub(crate) mod layered;
pub mod memory;
pub mod open;
pub(crate) mod page;
pub(crate) mod paging;
pub(crate) mod probe;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) mod renewal;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(test)]
pub(crate) mod stub;
pub(crate) mod summarize;
pub(crate) mod traits;
