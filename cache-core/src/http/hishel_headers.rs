//! hishel's request overrides (`X-Hishel-…`), removed before the request is looked up, sent or stored.

use http::{HeaderMap, HeaderValue};

/// The overrides of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct HishelHeaders {
    /// `X-Hishel-Ttl`: the TTL of the response, in seconds.
    pub(crate) ttl: Option<f64>,
    /// `X-Hishel-Spec-Ignore`: the response is stored and served regardless of RFC 9111.
    pub(crate) ignores_specification: bool,
    /// `X-Hishel-Refresh-Ttl-On-Access`: whether a hit renews the TTL.
    pub(crate) refreshes: Option<bool>,
    /// `X-Hishel-Body-Key`: the key is made from the request's body.
    pub(crate) has_body_key: bool,
}

impl HishelHeaders {
    /// Removes the overrides from a request. Invalid values are ignored, as in hishel.
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

    fn of(lines: &[(&'static str, &'static str)]) -> (HishelHeaders, HeaderMap) {
        let mut fields: HeaderMap =
            lines.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        (HishelHeaders::take(&mut fields), fields)
    }

    #[test]
    fn overrides_are_read_and_removed() {
        let (hishel_headers, rest) = of(&[
            ("X-Hishel-Ttl", "1.5"),
            ("X-Hishel-Spec-Ignore", "Yes"),
            ("X-Hishel-Refresh-Ttl-On-Access", "off"),
            ("X-Hishel-Body-Key", "on"),
            ("Accept", "*/*"),
        ]);
        let expected =
            HishelHeaders { ttl: Some(1.5), ignores_specification: true, refreshes: Some(false), has_body_key: true };
        assert_eq!(hishel_headers, expected);
        assert_eq!(rest.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn invalid_overrides_are_ignored() {
        for ttl in ["soon", "-1", "inf", "nan", ""] {
            assert_eq!(
                of(&[("x-hishel-ttl", ttl), ("x-hishel-body-key", "maybe")]).0,
                HishelHeaders::default(),
                "{ttl}"
            );
        }
    }
}
