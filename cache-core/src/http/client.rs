//! The ready client of one service: requests written as the pipeline writes them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;

use crate::format::http_key::Form;
use crate::http::cache::HttpCache;
use crate::http::error::FetchError;
use crate::http::request::{Asked, RequestBody};
use crate::http::response::Fetched;
use crate::model::service::ServiceName;
use crate::policy::dispatch::Policy;
use crate::runtime::shared::Hold;

/// The HTTP client of one service, through the cache. Clones share everything.
#[derive(Clone)]
pub struct CachedClient {
    cache: HttpCache,
}

impl CachedClient {
    pub(crate) fn new(hold: Hold, service: ServiceName) -> Self {
        // Redirects are stored and followed by whom they concern; the pipeline's client follows them before storing.
        let sender = match Policy::for_profile(hold.services.get(service)) {
            Policy::Ttl(_) => Arc::clone(&hold.senders.following),
            Policy::Specification(_) => Arc::clone(&hold.senders.direct),
        };
        Self { cache: HttpCache::new(hold, service, sender) }
    }

    /// A GET request.
    pub fn get(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A POST request.
    pub fn post(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A request. Under the pipeline's policy the key is made from the URL as it is written here.
    pub fn request(&self, method: Method, url: impl Into<String>) -> RequestBuilder {
        let asked = Asked {
            method,
            url: url.into(),
            params: None,
            fields: HeaderMap::new(),
            body: RequestBody::Empty,
            timeout: None,
            judge: None,
        };
        RequestBuilder { cache: self.cache.clone(), asked: Ok(asked) }
    }

    /// A client on the same cache that asks anew: [`HttpCache::anew`].
    pub fn anew(&self) -> Self {
        Self { cache: self.cache.anew() }
    }

    /// A client that asks the origin alone: [`HttpCache::bypassed`].
    pub fn bypassed(&self) -> Self {
        Self { cache: self.cache.bypassed() }
    }

    /// Answers a request of the `http` crate: [`HttpCache::fetch`].
    pub async fn fetch(&self, request: http::Request<Bytes>) -> Result<Fetched, FetchError> {
        self.cache.fetch(request).await
    }
}

impl From<HttpCache> for CachedClient {
    /// Requests for a cache with a sender of one's own.
    fn from(cache: HttpCache) -> Self {
        Self { cache }
    }
}

/// A request being written. What cannot be part of a request is told by [`Self::send`].
#[must_use = "nothing is sent before `send`"]
pub struct RequestBuilder {
    cache: HttpCache,
    asked: Result<Asked, FetchError>,
}

impl RequestBuilder {
    /// Query parameters, which the key knows apart from the URL. A [`Form::Text`] is a query as it is sent.
    pub fn params(self, params: impl Into<Form>) -> Self {
        // The pipeline's key does not know parameters that are none.
        let params = Some(params.into()).filter(|params| !params.is_empty());
        self.and(|asked| {
            asked.params = params;
            Ok(())
        })
    }

    /// A JSON body.
    pub fn json(self, value: &impl Serialize) -> Self {
        self.and(|asked| {
            asked.body = RequestBody::Json(serde_json::to_value(value).map_err(FetchError::request)?);
            Ok(())
        })
    }

    /// A form, from pairs; or a body of any kind, from text or bytes.
    pub fn data(self, data: impl Into<Form>) -> Self {
        self.and(|asked| {
            asked.body = RequestBody::Form(data.into());
            Ok(())
        })
    }

    /// Adds a header field; hishel's overrides (`X-Hishel-Ttl` and the like) are for the cache alone.
    pub fn header(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.and(|asked| {
            let name = HeaderName::from_bytes(name.as_ref()).map_err(FetchError::request)?;
            let value = HeaderValue::from_bytes(value.as_ref()).map_err(FetchError::request)?;
            asked.fields.append(name, value);
            Ok(())
        })
    }

    /// The longest that the origin may take, its body included.
    pub fn timeout(self, time: Duration) -> Self {
        self.and(|asked| {
            asked.timeout = Some(time);
            Ok(())
        })
    }

    /// Shows the whole body, without its content coding, to `judge` before it is stored, and before it answers from the
    /// store. What is refused is not stored, or removed and fetched again: an error that came with status 200, say.
    ///
    /// The caller still gets what the origin answered, as it arrives; meanwhile the body is kept in memory.
    pub fn stored_if(self, judge: fn(&[u8]) -> bool) -> Self {
        self.and(|asked| {
            asked.judge = Some(judge);
            Ok(())
        })
    }

    /// Answers the request, from the store where the policy allows it. Fails only where the request cannot be sent, or
    /// the origin does not answer.
    pub async fn send(self) -> Result<Fetched, FetchError> {
        self.cache.answer(self.asked?).await
    }

    fn and(mut self, change: impl FnOnce(&mut Asked) -> Result<(), FetchError>) -> Self {
        if let Ok(asked) = &mut self.asked
            && let Err(error) = change(asked)
        {
            self.asked = Err(error);
        }
        self
    }
}
