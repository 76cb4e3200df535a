//! How long a stored response is fresh (RFC 9111, 4.2), and how old it is.

use crate::format::http_date::http_date;
use crate::format::msgpack::{HeaderFacts, Values};
use crate::model::freshness::Freshness;
use crate::model::headers::Headers;
use crate::policy::directives::{MAX_DELTA_SECONDS, ResponseDirectives, delta_seconds};

/// RFC 9111, 4.2.2: a heuristic is a tenth of the time since the last modification, and at most a week here.
const HEURISTIC_FRACTION: f64 = 0.1;

const HEURISTIC_LIMIT: f64 = 7.0 * 86_400.0;

/// The lifetime by `Expires`. RFC 9111, 5.3: an invalid date, "0" above all, is in the past, and of several the first
/// counts.
fn expires(values: &Values<'_>, date: Option<f64>) -> Option<f64> {
    let expires = http_date(values.first()?);
    Some(match (expires, date) {
        (Some(expires), Some(date)) => (expires - date).clamp(0.0, MAX_DELTA_SECONDS),
        _ => 0.0,
    })
}

/// RFC 9110, 15.1: the status codes that are heuristically cacheable.
pub(crate) fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

fn first_date(values: &Values<'_>) -> Option<f64> {
    values.first().and_then(http_date)
}

/// The freshness of a response with this status, stored at this Unix time, for a private cache.
pub(crate) fn from_headers(status: u16, headers: &Headers, stored_at: Option<f64>) -> Freshness {
    for_cache(status, headers, &ResponseDirectives::of_headers(headers), stored_at, false)
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
) -> Freshness {
    let all = |name| headers.all(name).collect();
    let fields = HeaderFacts {
        age: all("age"),
        date: all("date"),
        expires: all("expires"),
        last_modified: all("last-modified"),
        ..HeaderFacts::default()
    };
    calculate(status, &fields, directives, stored_at, is_shared)
}

/// [`from_headers`] for fields that are not decoded.
pub(crate) fn from_fields(status: u16, fields: &HeaderFacts<'_>, stored_at: Option<f64>) -> Freshness {
    calculate(status, fields, &ResponseDirectives::of(fields.cache_control.iter()), stored_at, false)
}

fn calculate(
    status: u16,
    fields: &HeaderFacts<'_>,
    directives: &ResponseDirectives<'_>,
    stored_at: Option<f64>,
    is_shared: bool,
) -> Freshness {
    let date = first_date(&fields.date);
    // RFC 9111, 4.2.1: the first of these that is present, whatever its value.
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
    Freshness { lifetime, initial_age, is_no_cache: directives.no_cache }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const STORED: f64 = 784_111_777.0;

    fn of(fields: &[(&str, &str)]) -> Freshness {
        from_headers(200, &fields.iter().copied().collect(), Some(STORED))
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
