//! Formats: bytes to values and back, without I/O.

pub(crate) mod content_coding;
pub(crate) mod hex;
pub mod http_date;
pub(crate) mod http_key;
pub(crate) mod msgpack;
pub(crate) mod python;
pub(crate) mod result_key;
pub(crate) mod title;
pub(crate) mod zstd;
