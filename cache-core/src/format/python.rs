//! TODO

pub(crate) mod json;
pub(crate) mod repr;
