//! How long a stored response is fresh (RFC 9111 §4.2), as a private cache sees it.

use std::time::UNIX_EPOCH;

use crate::codec::{HeaderFacts, Values};
use crate::entry::Headers;

/// RFC 9111 §1.2.2: a delta-seconds value that is too large counts as this many seconds.
const MAX_DELTA_SECONDS: f64 = 2_147_483_648.0;

/// RFC 9111 §4.2.2: a heuristic is a tenth of the time since the last modification, and at most a week here.
const HEURISTIC_FRACTION: f64 = 0.1;
const HEURISTIC_LIMIT: f64 = 7.0 * 86_400.0;

/// What the header fields of a stored response say about its freshness.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Freshness {
    /// The freshness lifetime in seconds; `None` where nothing says or suggests one.
    pub lifetime: Option<f64>,
    /// RFC 9111 §4.2.3 `corrected_initial_age`: the age in seconds that it had when it was stored.
    pub initial_age: f64,
    /// `no-cache`: never served without asking the origin, however fresh.
    pub is_no_cache: bool,
}

impl Freshness {
    /// Whether a response of this age (seconds) may be served without asking the origin.
    pub fn is_fresh(&self, age: f64) -> bool {
        !self.is_no_cache && self.lifetime.is_some_and(|lifetime| lifetime > age)
    }

    /// Reads the fields of a response with this status, stored at this Unix time.
    pub fn of(status: u16, headers: &Headers, stored_at: Option<f64>) -> Self {
        let all = |name| headers.all(name).collect();
        Self::of_fields(
            status,
            &HeaderFacts {
                cache_control: all("cache-control"),
                age: all("age"),
                date: all("date"),
                expires: all("expires"),
                last_modified: all("last-modified"),
                ..HeaderFacts::default()
            },
            stored_at,
        )
    }

    pub(crate) fn of_fields(status: u16, fields: &HeaderFacts<'_>, stored_at: Option<f64>) -> Self {
        let date = first_date(&fields.date).or(stored_at);
        let mut freshness = Self::default();
        let mut max_age = None;
        for (name, argument) in fields.cache_control.iter().flat_map(directives) {
            // A qualified no-cache (with field names) restricts those fields only (RFC 9111 §5.2.2.4).
            if name.eq_ignore_ascii_case("no-cache") && argument.is_none() {
                freshness.is_no_cache = true;
            } else if name.eq_ignore_ascii_case("max-age") && max_age.is_none() {
                // RFC 9111 §4.2.1: of duplicates the first; §4.2: what cannot be read is stale.
                max_age = Some(delta_seconds(argument.unwrap_or_default()).unwrap_or(0.0));
            }
        }
        freshness.lifetime = max_age
            // RFC 9111 §5.3: an invalid Expires, "0" above all, is in the past.
            .or_else(|| {
                fields.expires.first().map(|value| match (http_date(value), date) {
                    (Some(expires), Some(date)) => (expires - date).max(0.0),
                    _ => 0.0,
                })
            })
            .or_else(|| {
                let modified = first_date(&fields.last_modified)?;
                let age = date? - modified;
                (is_heuristically_cacheable(status) && age > 0.0)
                    .then(|| (age * HEURISTIC_FRACTION).min(HEURISTIC_LIMIT))
            });
        let apparent_age = match (stored_at, first_date(&fields.date)) {
            (Some(stored_at), Some(date)) => (stored_at - date).max(0.0),
            _ => 0.0,
        };
        // RFC 9111 §5.1: of a list the first member counts; what cannot be read is ignored.
        let age_value = fields.age.first().and_then(|ages| ages.split(',').next()).and_then(delta_seconds);
        let age_value = age_value.unwrap_or(0.0);
        // Date has whole seconds: an apparent age below one second is rounding, not age.
        freshness.initial_age = if apparent_age < 1.0 { age_value } else { apparent_age.max(age_value) };
        freshness
    }
}

/// RFC 9110 §15.1: the status codes that are heuristically cacheable.
fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The directives of a `Cache-Control` value, each with its argument; quoted strings may hold commas.
fn directives(value: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut is_quoted = false;
    value
        .split(move |c| {
            is_quoted ^= c == '"';
            c == ',' && !is_quoted
        })
        .map(|directive| match directive.split_once('=') {
            Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
            None => (directive.trim(), None),
        })
}

/// RFC 9111 §1.2.2.
fn delta_seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse::<f64>().map_or(MAX_DELTA_SECONDS, |seconds| seconds.min(MAX_DELTA_SECONDS)))
}

fn first_date(values: &Values<'_>) -> Option<f64> {
    values.first().and_then(http_date)
}

/// RFC 9110 §5.6.7, in Unix seconds.
fn http_date(text: &str) -> Option<f64> {
    let time = httpdate::parse_http_date(text.trim()).ok()?;
    Some(time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const STORED: f64 = 784_111_777.0;

    fn of(fields: &[(&str, &str)]) -> Freshness {
        Freshness::of(200, &fields.iter().copied().collect(), Some(STORED))
    }

    #[test]
    fn the_lifetime_comes_from_max_age_then_expires_then_the_heuristic() {
        let later = ("expires", "Sun, 06 Nov 1994 08:59:37 GMT");
        let old = ("last-modified", "Sun, 06 Nov 1994 07:09:37 GMT");
        assert_eq!(of(&[("cache-control", "public, Max-Age=60"), later, old, ("date", DATE)]).lifetime, Some(60.0));
        assert_eq!(of(&[later, old, ("date", DATE)]).lifetime, Some(600.0));
        assert_eq!(of(&[old, ("date", DATE)]).lifetime, Some(600.0));
        assert_eq!(of(&[("date", DATE)]).lifetime, None);
        assert_eq!(of(&[("expires", "0"), old]).lifetime, Some(0.0));
        assert_eq!(of(&[("cache-control", "max-age=99999999999999999999")]).lifetime, Some(MAX_DELTA_SECONDS));
        assert_eq!(of(&[("cache-control", "max-age=6x")]).lifetime, Some(0.0));
    }

    #[test]
    fn no_cache_is_never_fresh_and_its_qualified_form_is() {
        assert!(!of(&[("cache-control", "no-cache, max-age=60")]).is_fresh(1.0));
        assert!(of(&[("cache-control", "no-cache=\"set-cookie, x\", max-age=60")]).is_fresh(1.0));
        assert!(!of(&[("cache-control", "max-age=60")]).is_fresh(60.0));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "whole seconds are exact")]
    fn the_initial_age_is_the_larger_of_apparent_age_and_age_value() {
        let older = "Sun, 06 Nov 1994 08:49:07 GMT";
        assert_eq!(of(&[("date", older)]).initial_age, 30.0);
        assert_eq!(of(&[("date", older), ("age", "100")]).initial_age, 100.0);
        assert_eq!(of(&[("date", DATE)]).initial_age, 0.0);
        assert_eq!(of(&[("age", "100, 7")]).initial_age, 100.0);
        assert_eq!(of(&[("age", "-1")]).initial_age, 0.0);
    }
}
