//! Python-compatible formatting of values, where keys and results depend on it to the byte.

pub(crate) mod json;
pub(crate) mod repr;
