//! Redirects, followed above the transport because each of them counts for the rate limit.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use http::{Method, Request, Response};
use url::Url;

pub(crate) const MAX_REDIRECTS: usize = 10;

/// The next request of a redirect; `None`: the response is not a redirect.
pub(crate) fn next<B>(request: &Request<Bytes>, answer: &Response<B>) -> Option<Request<Bytes>> {
    let status = answer.status().as_u16();
    if !matches!(status, 301..=303 | 307 | 308) {
        return None;
    }
    let from = Url::parse(&request.uri().to_string()).ok()?;
    let mut to = from.join(answer.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    to.set_fragment(None);
    if !matches!(to.scheme(), "http" | "https") {
        return None;
    }
    let mut next = request.clone();
    *next.uri_mut() = to.as_str().parse().ok()?;
    // A POST stays one for 307 and 308 only.
    if status == 303 || status < 303 && request.method() == Method::POST {
        *next.method_mut() = Method::GET;
        *next.body_mut() = Bytes::new();
        for about_the_body in [CONTENT_LENGTH, CONTENT_TYPE] {
            next.headers_mut().remove(about_the_body);
        }
    }
    if to.origin() != from.origin() {
        for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            next.headers_mut().remove(secret);
        }
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_on(method: &str, status: u16, location: &str) -> Option<(String, String, bool, usize)> {
        let request = Request::builder().method(method).uri("https://a.example/x/1?q").header(AUTHORIZATION, "secret");
        let answer = Response::builder().status(status).header(LOCATION, location).body(()).unwrap();
        let next = next(&request.body(Bytes::from_static(b"body")).unwrap(), &answer)?;
        let has_secret = next.headers().contains_key(AUTHORIZATION);
        Some((next.method().to_string(), next.uri().to_string(), has_secret, next.body().len()))
    }

    #[test]
    fn redirect_to_other_origin_drops_credentials() {
        let to = |method: &str, url: &str, secret, body| Some((method.to_owned(), url.to_owned(), secret, body));
        assert_eq!(sent_on("GET", 301, "2,slug#top"), to("GET", "https://a.example/x/2,slug", true, 4));
        assert_eq!(sent_on("POST", 302, "/y"), to("GET", "https://a.example/y", true, 0));
        assert_eq!(sent_on("POST", 307, "/y"), to("POST", "https://a.example/y", true, 4));
        assert_eq!(sent_on("GET", 308, "https://b.example/"), to("GET", "https://b.example/", false, 4));
        assert_eq!(sent_on("GET", 301, "ftp://a.example/"), None);
        assert_eq!(sent_on("GET", 304, "/y"), None);
    }
}
