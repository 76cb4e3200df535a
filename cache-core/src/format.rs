//! Formats: conversion between bytes and values, without I/O.

pub(crate) mod charset;
pub(crate) mod content_coding;
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) mod entry_view;
pub(crate) mod hex;
pub(crate) mod http_date;
pub(crate) mod http_key;
#[cfg_attr(
    not(all(feature = "redis", feature = "sqlite")),
    allow(dead_code, reason = "each store uses the formats of its layouts")
)]
pub(crate) mod msgpack;
pub(crate) mod python;
pub(crate) mod redis_key;
pub(crate) mod result_key;
pub(crate) mod title;
pub(crate) mod zstd;
