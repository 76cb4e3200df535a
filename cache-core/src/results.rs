//! The result cache: return values of functions by their arguments, byte-identical to the pipeline's `@cached_result`.

pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod lookup;
#[cfg(feature = "macros")]
pub(crate) mod macros;
