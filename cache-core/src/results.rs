//! TODO

pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod lookup;
pub(crate) mod macros;
