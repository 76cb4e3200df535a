//! Formats: conversion between bytes and values, without I/O.

pub mod content_coding;
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) mod entry_view;
pub mod hex;
pub mod http_date;
pub(crate) mod http_key;
pub mod msgpack;
pub(crate) mod python;
pub(crate) mod redis_key;
pub mod result_key;
pub mod title;
pub(crate) mod zstd;
