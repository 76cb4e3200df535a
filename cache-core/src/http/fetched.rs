//! What a caller gets: a response, and where it came from.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;

use super::body::Body;
use super::fields;
use super::send::SendError;
use crate::entry::{Entry, EntryId, Headers, Response};
use crate::error::BoxError;
use crate::key::CacheKey;

/// Why a caller gets no response. That the cache cannot be used is never a reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// What was asked cannot be a request: its URL, a field, or a body that cannot be written as JSON.
    #[error("invalid request")]
    Request(#[source] BoxError),
    /// The origin did not answer, or not to the end.
    #[error(transparent)]
    Origin(#[from] SendError),
    /// The body is not the JSON that was asked for.
    #[error("cannot deserialize the body")]
    Json(#[source] BoxError),
}

impl FetchError {
    pub(super) fn request(source: impl Into<BoxError>) -> Self {
        Self::Request(source.into())
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Origin(error) if error.is_timeout())
    }

    /// Whether the origin could not be reached at all.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Origin(error) if error.is_connect())
    }
}

impl From<FetchError> for SendError {
    /// For a response that is a part of another one's body.
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Origin(error) => error,
            other => Self::broken(other),
        }
    }
}

/// Where a response came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServedFrom {
    /// The store, still good.
    Hit,
    /// The store, past its freshness lifetime.
    Stale,
    /// The store, after the origin said that it is still good.
    Revalidated,
    /// The origin, since nothing stored could answer.
    Miss,
    /// The origin: the cache was not asked.
    Bypass,
}

impl ServedFrom {
    /// The name in events and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// How a request was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Where the response came from.
    pub from: ServedFrom,
    /// The key that it is, or would be, stored under.
    pub cache_key: CacheKey,
    /// Seconds since the origin generated or validated it; `None` where it came just now.
    pub age: Option<f64>,
    /// The stored response that was served.
    pub entry: Option<EntryId>,
    /// How long the store keeps it, in seconds; `None`: for ever, or it was not served from there.
    pub ttl_left: Option<f64>,
}

impl Served {
    /// Answered by the origin.
    pub(super) fn by_origin(from: ServedFrom, cache_key: CacheKey) -> Self {
        Self { from, cache_key, age: None, entry: None, ttl_left: None }
    }
}

/// A response, and how the request was answered.
#[derive(Debug)]
pub struct Fetched {
    status: StatusCode,
    head: Head,
    served: Served,
    body: Body,
}

/// The head of a response. Stored ones are read into HTTP's form when somebody asks for their fields: many callers
/// want the body only.
#[derive(Debug)]
pub(super) struct Head {
    stored: Option<Stored>,
    /// The body is decoded, so these fields say nothing true of it any more.
    is_decoded: bool,
    fields: OnceLock<HeaderMap>,
}

#[derive(Debug)]
enum Stored {
    Entry(Arc<Entry>),
    Response(Box<Response>),
}

impl Head {
    pub(super) fn of_entry(entry: Arc<Entry>, response: Option<Response>, is_decoded: bool) -> Self {
        let stored = response.map_or(Stored::Entry(entry), |response| Stored::Response(Box::new(response)));
        Self { stored: Some(stored), is_decoded, fields: OnceLock::new() }
    }

    pub(super) fn response(&self) -> Option<&Response> {
        match self.stored.as_ref()? {
            Stored::Entry(entry) => Some(&entry.response),
            Stored::Response(response) => Some(response),
        }
    }

    fn fields(&self) -> &HeaderMap {
        self.fields.get_or_init(|| {
            let headers = self.response().map(|response| &response.headers);
            let mut fields = headers.map(fields::sent).unwrap_or_default();
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

/// Takes out what says how a body was coded, and how long it was then.
pub(super) fn without_coding(fields: &mut HeaderMap) {
    fields.remove(http::header::CONTENT_ENCODING);
    fields.remove(http::header::CONTENT_LENGTH);
}

/// An entity tag without its mark of weakness (RFC 9110, 8.8.3.2).
fn opaque(tag: &HeaderValue) -> &[u8] {
    tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes())
}

/// The coding that a stored response says its body has, or had.
pub(super) fn coding(headers: &Headers) -> Option<&str> {
    headers.get("content-encoding")
}

impl Fetched {
    pub(super) fn new(status: StatusCode, head: Head, served: Served, body: Body) -> Self {
        Self { status, head, served, body }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderMap {
        self.head.fields()
    }

    /// Where it came from, with its age and its key.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// Whether it is this response once more, as far as their heads tell.
    pub(super) fn is_as(&self, other: &Response) -> bool {
        let (ours, theirs) = (self.headers(), fields::sent(&other.headers));
        let differ = |name: HeaderName| matches!((ours.get(&name), theirs.get(&name)), (Some(a), Some(b)) if a != b);
        // What was coded once had another length then.
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

    /// As a response of the `http` crate, with [`Served`] among its extensions.
    pub fn into_response(self) -> http::Response<Body> {
        self.head.fields();
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.head.fields.into_inner().unwrap_or_default();
        response.extensions_mut().insert(self.served);
        response
    }
}

#[cfg(test)]
mod tests {
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
    fn a_response_is_known_again_by_its_head(
        #[case] stored: &[(&str, &str)],
        #[case] fetched: &[(&str, &str)],
        #[case] expected: bool,
    ) {
        let of = |fields: &[(&str, &str)]| fields.iter().copied().collect::<Headers>();
        let served = Served::by_origin(ServedFrom::Miss, CacheKey::new(*b"key"));
        let fetched = Fetched::new(StatusCode::OK, fields::sent(&of(fetched)).into(), served, Body::from(Bytes::new()));
        let stored = |status_code| Response { status_code, headers: of(stored), ..Response::default() };
        assert_eq!(fetched.is_as(&stored(200)), expected);
        assert!(!fetched.is_as(&stored(404)));
    }
}
