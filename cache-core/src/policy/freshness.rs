//! Freshness lifetime and age (RFC 9111, 4.2).

use crate::format::http_date;
use crate::format::msgpack::{HeaderView, Values};
use crate::model::freshness::Freshness;
use crate::model::headers::Headers;
use crate::policy::directives::{MAX_DELTA_SECONDS, ResponseDirectives, delta_seconds};

/// RFC 9111, 4.2.2: a heuristic is a tenth of the time since the last modification, and at most a week here.
const HEURISTIC_FRACTION: f64 = 0.1;

const HEURISTIC_LIMIT: f64 = 7.0 * 86_400.0;

/// The freshness of a response with this status, stored at this Unix time, in a private cache.
pub fn freshness(status: u16, headers: &Headers, stored_at: Option<f64>) -> Freshness {
    freshness_for_cache(status, headers, &ResponseDirectives::from_view(headers), stored_at, false)
}

/// [`freshness`] in a private or a shared cache.
///
/// With the time of the *request* as `stored_at`, the age is exactly RFC 9111's: it is never less than
/// `apparent_age`, and it includes the response delay.
pub(crate) fn freshness_for_cache(
    status: u16,
    headers: &Headers,
    directives: &ResponseDirectives<'_>,
    stored_at: Option<f64>,
    is_shared: bool,
) -> Freshness {
    let all = |name| headers.all(name).collect();
    let fields = HeaderView {
        age: all("age"),
        date: all("date"),
        expires: all("expires"),
        last_modified: all("last-modified"),
        #[cfg(any(feature = "redis", feature = "sqlite"))]
        cache_control: Values::default(),
        #[cfg(any(feature = "redis", feature = "sqlite"))]
        content_type: Values::default(),
    };
    calculate(status, &fields, directives, stored_at, is_shared)
}

/// [`freshness`] of parsed fields.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) fn freshness_of_fields(status: u16, fields: &HeaderView<'_>, stored_at: Option<f64>) -> Freshness {
    calculate(status, fields, &ResponseDirectives::from_headers(fields.cache_control.iter()), stored_at, false)
}

fn calculate(
    status: u16,
    fields: &HeaderView<'_>,
    directives: &ResponseDirectives<'_>,
    stored_at: Option<f64>,
    is_shared: bool,
) -> Freshness {
    let date = first_date(&fields.date);
    // RFC 9111, 4.2.1: the first of these that is present counts, even if invalid.
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
    // RFC 9111, 5.1: the first member of a list counts; an invalid value is ignored.
    let age_value = fields.age.first().and_then(|ages| ages.split(',').next()).and_then(delta_seconds);
    let age_value = age_value.unwrap_or(0.0);
    // `Date` has whole seconds: an apparent age below one second is a rounding error.
    let initial_age = if apparent_age < 1.0 { age_value } else { apparent_age.max(age_value) };
    Freshness { lifetime, initial_age, is_no_cache: directives.no_cache }
}

/// The lifetime by `Expires`. RFC 9111, 5.3: an invalid date such as "0" is in the past, and the first of several
/// counts.
fn expires(values: &Values<'_>, date: Option<f64>) -> Option<f64> {
    let expires = http_date::parse(values.first()?);
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
    values.first().and_then(http_date::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const STORED: f64 = 784_111_777.0;

    fn of(fields: &[(&str, &str)]) -> Freshness {
        freshness(200, &fields.iter().copied().collect(), Some(STORED))
    }

    #[test]
    fn lifetime_is_max_age_then_expires_then_heuristic() {
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
    fn no_cache_is_never_fresh_but_its_qualified_form_is() {
        assert!(!of(&[("cache-control", "no-cache, max-age=60")]).is_fresh(1.0));
        assert!(of(&[("cache-control", "no-cache=\"set-cookie, x\", max-age=60")]).is_fresh(1.0));
        assert!(!of(&[("cache-control", "max-age=60")]).is_fresh(60.0));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "whole seconds are exact")]
    fn initial_age_is_the_larger_of_apparent_age_and_age_value() {
        let older = "Sun, 06 Nov 1994 08:49:07 GMT";
        assert_eq!(of(&[("date", older)]).initial_age, 30.0);
        assert_eq!(of(&[("date", older), ("age", "100")]).initial_age, 100.0);
        assert_eq!(of(&[("date", DATE)]).initial_age, 0.0);
        assert_eq!(of(&[("age", "100, 7")]).initial_age, 100.0);
        assert_eq!(of(&[("age", "-1")]).initial_age, 0.0);
    }
}
