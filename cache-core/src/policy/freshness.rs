//! How long a stored response is fresh (RFC 9111, 4.2), and how old it is.

use crate::format::http_date::http_date;
use crate::format::msgpack::Values;
use crate::policy::directives::MAX_DELTA_SECONDS;

/// RFC 9111, 4.2.2: a heuristic is a tenth of the time since the last modification, and at most a week here.
pub(crate) const HEURISTIC_FRACTION: f64 = 0.1;

pub(crate) const HEURISTIC_LIMIT: f64 = 7.0 * 86_400.0;

/// The lifetime by `Expires`. RFC 9111, 5.3: an invalid date, "0" above all, is in the past, and of several the first
/// counts.
pub(crate) fn expires(values: &Values<'_>, date: Option<f64>) -> Option<f64> {
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

pub(crate) fn first_date(values: &Values<'_>) -> Option<f64> {
    values.first().and_then(http_date)
}

#[cfg(test)]
mod tests {
    use crate::model::freshness::Freshness;

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
