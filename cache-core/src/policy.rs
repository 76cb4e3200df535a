//! Cache policies as pure functions: [`fixed_ttl`] (the pipeline's) and [`rfc9111`].

pub(crate) mod conditional;
pub(crate) mod decision;
pub(crate) mod directives;
pub(crate) mod dispatch;
pub(crate) mod fields;
pub(crate) mod fixed_ttl;
pub(crate) mod freshness;
pub(crate) mod invalidation;
pub(crate) mod range;
pub(crate) mod response;
pub(crate) mod reuse;
pub(crate) mod rfc9111;
pub(crate) mod storable;
pub(crate) mod update;
pub(crate) mod vary;
