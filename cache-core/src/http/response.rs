//! [`CachedResponse`]: a response with information about how it was served.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;

use crate::http::body::Body;
use crate::http::cache_status::CacheStatus;
use crate::http::error::FetchError;
use crate::http::header_map;
use crate::model::entry::{Entry, Response};
use crate::model::headers::Headers;

/// A response with information about how it was served.
#[derive(Debug)]
pub struct CachedResponse {
    status: StatusCode,
    head: Head,
    cache_status: CacheStatus,
    body: Body,
}

/// The head of a response. The fields of a stored one are converted on first use: many callers read the body only.
#[derive(Debug)]
pub(crate) struct Head {
    stored: Option<Stored>,
    /// The body is decoded, so the fields of its coding are removed.
    is_decoded: bool,
    fields: OnceLock<HeaderMap>,
}

#[derive(Debug)]
enum Stored {
    Entry(Arc<Entry>),
    Response(Box<Response>),
}

impl Head {
    pub(crate) fn from_entry(entry: Arc<Entry>, response: Option<Response>, is_decoded: bool) -> Self {
        let stored = response.map_or(Stored::Entry(entry), |response| Stored::Response(Box::new(response)));
        Self { stored: Some(stored), is_decoded, fields: OnceLock::new() }
    }

    pub(crate) fn response(&self) -> Option<&Response> {
        match self.stored.as_ref()? {
            Stored::Entry(entry) => Some(&entry.response),
            Stored::Response(response) => Some(response),
        }
    }

    fn fields(&self) -> &HeaderMap {
        self.fields.get_or_init(|| {
            let headers = self.response().map(|response| &response.headers);
            let mut fields = headers.map(header_map::to_header_map).unwrap_or_default();
            if self.is_decoded {
                without_coding(&mut fields);
            }
            fields
        })
    }
}

impl From<HeaderMap> for Head {
    fn from(fields: HeaderMap) -> Self {
        Self { stored: None, is_decoded: false, fields: OnceLock::from(fields) }
    }
}

/// Removes the fields that describe the encoded body.
pub(crate) fn without_coding(fields: &mut HeaderMap) {
    fields.remove(http::header::CONTENT_ENCODING);
    fields.remove(http::header::CONTENT_LENGTH);
}

/// An entity tag for the weak comparison (RFC 9110, 8.8.3.2).
fn opaque(tag: &HeaderValue) -> &[u8] {
    tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes())
}

/// The content coding that a stored response declares.
pub(crate) fn coding(headers: &Headers) -> Option<&str> {
    headers.get("content-encoding")
}

impl CachedResponse {
    pub(crate) fn new(status: StatusCode, head: Head, cache_status: CacheStatus, body: Body) -> Self {
        Self { status, head, cache_status, body }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderMap {
        self.head.fields()
    }

    /// How it was served, with its age and its key.
    pub fn cache_status(&self) -> &CacheStatus {
        &self.cache_status
    }

    /// Whether both responses are of the same representation.
    pub(crate) fn is_same_representation(&self, other: &Response) -> bool {
        let (ours, theirs) = (self.headers(), header_map::to_header_map(&other.headers));
        let differ = |name: HeaderName| matches!((ours.get(&name), theirs.get(&name)), (Some(a), Some(b)) if a != b);
        // The length of an encoded body differs from the one of the decoded body.
        let has_other_length = coding(&other.headers).is_none() && differ(CONTENT_LENGTH);
        let is_same_version = match [ours, &theirs].map(|fields| fields.get(ETAG).map(opaque)) {
            [None, None] => !differ(LAST_MODIFIED),
            [ours, theirs] => ours == theirs,
        };
        self.status.as_u16() == other.status_code && is_same_version && !has_other_length
    }

    /// The body as a stream.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The whole body.
    pub async fn bytes(self) -> Result<Bytes, FetchError> {
        self.body.bytes().await
    }

    /// The whole body as text; bytes that are not UTF-8 are replaced.
    pub async fn text(self) -> Result<String, FetchError> {
        let body = self.bytes().await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The whole body, read as JSON.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, FetchError> {
        let body = self.bytes().await?;
        serde_json::from_slice(&body).map_err(|error| FetchError::Json(error.into()))
    }

    /// As a response of the `http` crate, with [`CacheStatus`] among its extensions.
    pub fn into_response(self) -> http::Response<Body> {
        self.head.fields();
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.head.fields.into_inner().unwrap_or_default();
        response.extensions_mut().insert(self.cache_status);
        response
    }
}

#[cfg(test)]
mod tests {
    use crate::http::cache_status::CacheOutcome;
    use crate::model::key::CacheKey;

    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing_told(&[], &[], true)]
    #[case::same_tag_whatever_else(&[("etag", "\"a\""), ("last-modified", "1")], &[("etag", "\"a\""), ("last-modified", "2")], true)]
    #[case::weak(&[("etag", "\"a\"")], &[("etag", "W/\"a\"")], true)]
    #[case::other_tag(&[("etag", "\"a\"")], &[("etag", "\"b\"")], false)]
    #[case::tag_gone(&[("etag", "\"a\"")], &[], false)]
    #[case::other_date(&[("last-modified", "1")], &[("last-modified", "2")], false)]
    #[case::other_length(&[("content-length", "1")], &[("content-length", "2")], false)]
    #[case::length_of_the_coded(&[("content-length", "1"), ("content-encoding", "gzip")], &[("content-length", "2")], true)]
    fn same_representation_is_recognized_by_its_head(
        #[case] stored: &[(&str, &str)],
        #[case] cached_response: &[(&str, &str)],
        #[case] expected: bool,
    ) {
        let of = |fields: &[(&str, &str)]| fields.iter().copied().collect::<Headers>();
        let served = CacheStatus::by_origin(CacheOutcome::Miss, CacheKey::new(*b"key"));
        let cached_response = CachedResponse::new(
            StatusCode::OK,
            header_map::to_header_map(&of(cached_response)).into(),
            served,
            Body::from(Bytes::new()),
        );
        let stored = |status_code| Response { status_code, headers: of(stored), ..Response::default() };
        assert_eq!(cached_response.is_same_representation(&stored(200)), expected);
        assert!(!cached_response.is_same_representation(&stored(404)));
    }
}
