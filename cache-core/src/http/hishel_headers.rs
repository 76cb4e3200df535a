//! hishel's overrides: header fields by which a request says how it is to be cached.
//!
//! They are for the cache alone: taken out of the request before it is looked up, sent or stored.

use http::{HeaderMap, HeaderValue};

/// What a request asks of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Overrides {
    /// `X-Hishel-Ttl`: how long its response is stored, in seconds.
    pub(crate) ttl: Option<f64>,
    /// `X-Hishel-Spec-Ignore`: its response is stored and served whatever RFC 9111 says.
    pub(crate) ignores_specification: bool,
    /// `X-Hishel-Refresh-Ttl-On-Access`: whether a hit lets the response live that long again.
    pub(crate) refreshes: Option<bool>,
    /// `X-Hishel-Body-Key`: the key is made from the request's body.
    pub(crate) has_body_key: bool,
}

impl Overrides {
    /// Takes them out of a request. What cannot be read counts as not said, as it does for hishel.
    pub(crate) fn take(fields: &mut HeaderMap) -> Self {
        if fields.is_empty() {
            return Self::default();
        }
        let mut take = |name| fields.remove(name);
        Self {
            ttl: take("x-hishel-ttl").as_ref().and_then(seconds),
            ignores_specification: take("x-hishel-spec-ignore").as_ref().and_then(flag) == Some(true),
            refreshes: take("x-hishel-refresh-ttl-on-access").as_ref().and_then(flag),
            has_body_key: take("x-hishel-body-key").as_ref().and_then(flag) == Some(true),
        }
    }
}

fn seconds(value: &HeaderValue) -> Option<f64> {
    value.to_str().ok()?.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

fn flag(value: &HeaderValue) -> Option<bool> {
    match value.to_str().ok()?.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&'static str, &'static str)]) -> (Overrides, HeaderMap) {
        let mut fields: HeaderMap =
            lines.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        (Overrides::take(&mut fields), fields)
    }

    #[test]
    fn they_are_read_as_hishel_reads_them_and_taken_out() {
        let (overrides, rest) = of(&[
            ("X-Hishel-Ttl", "1.5"),
            ("X-Hishel-Spec-Ignore", "Yes"),
            ("X-Hishel-Refresh-Ttl-On-Access", "off"),
            ("X-Hishel-Body-Key", "on"),
            ("Accept", "*/*"),
        ]);
        let expected =
            Overrides { ttl: Some(1.5), ignores_specification: true, refreshes: Some(false), has_body_key: true };
        assert_eq!(overrides, expected);
        assert_eq!(rest.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn what_cannot_be_read_was_not_said() {
        for ttl in ["soon", "-1", "inf", "nan", ""] {
            assert_eq!(of(&[("x-hishel-ttl", ttl), ("x-hishel-body-key", "maybe")]).0, Overrides::default(), "{ttl}");
        }
    }
}
