//! [`Freshness`] of a stored response (RFC 9111, 4.2).

/// The freshness of a stored response, as its header fields define it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Freshness {
    /// The freshness lifetime in seconds; `None` if no field defines or suggests one.
    pub lifetime: Option<f64>,
    /// RFC 9111, 4.2.3 `corrected_initial_age`: the age in seconds when it was stored.
    pub initial_age: f64,
    /// `no-cache`: never served without validation, however fresh.
    pub is_no_cache: bool,
}

impl Freshness {
    /// Whether a response of this age (seconds) may be served without validation.
    pub fn is_fresh(&self, age: f64) -> bool {
        !self.is_no_cache && self.lifetime.is_some_and(|lifetime| lifetime > age)
    }
}
