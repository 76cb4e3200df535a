//! Invalidation by unsafe requests (RFC 9111, 4.4).

use url::Url;

use crate::model::entry::{Request, Response};

/// RFC 9110, 9.2.1. An unknown method is not safe.
fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// Whether the response to this method outdates stored responses.
pub(crate) fn invalidates(method: &str, status: u16) -> bool {
    !is_safe(method) && (200..400).contains(&status)
}

/// The URLs with stored responses to invalidate: the URL of the request, and those of the same origin that the response
/// names. Other origins are excluded: a response could be used to empty their cache.
pub(crate) fn invalidated_urls(request: &Request, response: &Response) -> Vec<String> {
    if !invalidates(&request.method, response.status_code) {
        return Vec::new();
    }
    let mut urls = vec![request.url.clone()];
    for name in ["location", "content-location"] {
        urls.extend(referenced_url(request, response, name).map(String::from));
    }
    urls.dedup();
    urls
}

/// Whether the response is also valid for a GET of the same URL (RFC 9110, 9.3.3).
pub(crate) fn is_same_origin(request: &Request, response: &Response) -> bool {
    referenced_url(request, response, "content-location").is_some_and(|url| Url::parse(&request.url) == Ok(url))
}

fn referenced_url(request: &Request, response: &Response, name: &str) -> Option<Url> {
    let base = Url::parse(&request.url).ok()?;
    let mut url = base.join(response.headers.get(name)?).ok()?;
    url.set_fragment(None);
    (url.origin() == base.origin()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const URL: &str = "http://example.org/a/b?c";

    fn invalidated(method: &str, status: u16, fields: &[(&str, &str)]) -> Vec<String> {
        let request = Request { method: method.into(), url: URL.into(), ..Request::default() };
        let headers = fields.iter().copied().collect();
        invalidated_urls(&request, &Response { status_code: status, headers, ..Response::default() })
    }

    #[rstest]
    #[case("POST", 200, true)]
    #[case("PUT", 201, true)]
    #[case("DELETE", 204, true)]
    #[case("M-SEARCH", 303, true)]
    #[case("get", 200, true)]
    #[case("POST", 404, false)]
    #[case("POST", 500, false)]
    #[case("GET", 200, false)]
    #[case("HEAD", 200, false)]
    #[case("OPTIONS", 200, false)]
    fn success_of_an_unsafe_method_invalidates(#[case] method: &str, #[case] status: u16, #[case] does: bool) {
        assert_eq!(invalidated(method, status, &[]), if does { vec![URL] } else { Vec::new() });
    }

    #[rstest]
    #[case("d", Some("http://example.org/a/d"))]
    #[case("/d#e", Some("http://example.org/d"))]
    #[case("//example.org/d", Some("http://example.org/d"))]
    #[case("HTTP://EXAMPLE.ORG:80/d", Some("http://example.org/d"))]
    #[case("https://example.org/d", None)]
    #[case("http://example.com/d", None)]
    #[case("http://[/", None)]
    #[case("/a/b?c", None)]
    fn named_urls_of_the_same_origin_are_invalidated(#[case] location: &str, #[case] url: Option<&str>) {
        for name in ["location", "content-location"] {
            let urls = invalidated("POST", 201, &[(name, location)]);
            assert_eq!(
                urls.iter().map(String::as_str).collect::<Vec<_>>(),
                [Some(URL), url].into_iter().flatten().collect::<Vec<_>>()
            );
        }
    }
}
