//! TODO

use crate::format::msgpack::HeaderFacts;
use crate::model::headers::Headers;
use crate::policy::directives::{ResponseDirectives, delta_seconds};
use crate::policy::freshness::{HEURISTIC_FRACTION, HEURISTIC_LIMIT, expires, first_date, is_heuristically_cacheable};

/// What the header fields of a stored response say about its freshness.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Freshness {
    /// The freshness lifetime in seconds; `None` where nothing says or suggests one.
    pub lifetime: Option<f64>,
    /// RFC 9111, 4.2.3 `corrected_initial_age`: the age in seconds that it had when it was stored.
    pub initial_age: f64,
    /// `no-cache`: never served without asking the origin, however fresh.
    pub is_no_cache: bool,
}

impl Freshness {
    /// Whether a response of this age (seconds) may be served without asking the origin.
    pub fn is_fresh(&self, age: f64) -> bool {
        !self.is_no_cache && self.lifetime.is_some_and(|lifetime| lifetime > age)
    }

    /// Reads the fields of a response with this status, stored at this Unix time, for a private cache.
    pub fn of(status: u16, headers: &Headers, stored_at: Option<f64>) -> Self {
        Self::for_cache(status, headers, &ResponseDirectives::of_headers(headers), stored_at, false)
    }

    /// The same for a private or a shared cache.
    ///
    /// Counted from when the *request* was sent, the age is RFC 9111's to the digit: the sum of that time and of what
    /// has passed since is never less than `apparent_age`, and holds the response delay.
    pub(crate) fn for_cache(
        status: u16,
        headers: &Headers,
        directives: &ResponseDirectives<'_>,
        stored_at: Option<f64>,
        is_shared: bool,
    ) -> Self {
        let all = |name| headers.all(name).collect();
        let fields = HeaderFacts {
            age: all("age"),
            date: all("date"),
            expires: all("expires"),
            last_modified: all("last-modified"),
            ..HeaderFacts::default()
        };
        Self::calculate(status, &fields, directives, stored_at, is_shared)
    }

    pub(crate) fn of_fields(status: u16, fields: &HeaderFacts<'_>, stored_at: Option<f64>) -> Self {
        Self::calculate(status, fields, &ResponseDirectives::of(fields.cache_control.iter()), stored_at, false)
    }

    fn calculate(
        status: u16,
        fields: &HeaderFacts<'_>,
        directives: &ResponseDirectives<'_>,
        stored_at: Option<f64>,
        is_shared: bool,
    ) -> Self {
        let date = first_date(&fields.date);
        // RFC 9111, 4.2.1: the first of these that is there, whatever it says.
        let lifetime = directives
            .s_maxage
            .filter(|_| is_shared)
            .or(directives.max_age)
            .or_else(|| expires(&fields.expires, date.or(stored_at)))
            .or_else(|| {
                let age = date.or(stored_at)? - first_date(&fields.last_modified)?;
                (is_heuristically_cacheable(status) || directives.public).then_some(())?;
                (age > 0.0).then(|| (age * HEURISTIC_FRACTION).min(HEURISTIC_LIMIT))
            });
        let apparent_age = match (stored_at, date) {
            (Some(stored_at), Some(date)) => (stored_at - date).max(0.0),
            _ => 0.0,
        };
        // RFC 9111, 5.1: of a list the first member counts; what cannot be read is ignored.
        let age_value = fields.age.first().and_then(|ages| ages.split(',').next()).and_then(delta_seconds);
        let age_value = age_value.unwrap_or(0.0);
        // Date has whole seconds: an apparent age below one second is rounding, not age.
        let initial_age = if apparent_age < 1.0 { age_value } else { apparent_age.max(age_value) };
        Self { lifetime, initial_age, is_no_cache: directives.no_cache }
    }
}
