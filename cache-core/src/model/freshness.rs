//! What decides whether a stored response is fresh.

/// The freshness of a stored response, from its header fields.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Freshness {
    /// The freshness lifetime in seconds; `None` where no field states or suggests one.
    pub lifetime: Option<f64>,
    /// RFC 9111, 4.2.3 `corrected_initial_age`: its age in seconds when it was stored.
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
