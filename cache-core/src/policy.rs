//! RFC 9111 as values. Pure: whatever depends on the time takes it as a parameter.

mod freshness;

pub use freshness::Freshness;
