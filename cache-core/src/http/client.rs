//! [`CachedClient`]: requests as the pipeline writes them.

#[cfg(feature = "reqwest")]
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;

use crate::format::http_key::FormValue;
use crate::http::cache::HttpCache;
use crate::http::error::FetchError;
use crate::http::overrides::Overrides;
use crate::http::request::{CacheRequest, RequestBody};
use crate::http::response::CachedResponse;
#[cfg(feature = "reqwest")]
use crate::model::service::{PolicyKind, ServiceName};
#[cfg(feature = "reqwest")]
use crate::runtime::shared::CacheHandle;
use crate::transport::traits::RequestTimeout;

/// An HTTP client for one service that uses the cache. Clones share everything.
#[derive(Clone)]
pub struct CachedClient {
    cache: HttpCache,
}

impl CachedClient {
    #[cfg(feature = "reqwest")]
    pub(crate) fn new(hold: CacheHandle, service: ServiceName) -> Self {
        // Under RFC 9111 redirects are stored like other responses; the pipeline's client follows them before storing.
        let transport = match hold.services.get(service).policy {
            PolicyKind::FixedTtl => Arc::clone(&hold.transports.following),
            PolicyKind::Rfc9111 | PolicyKind::Shared => Arc::clone(&hold.transports.direct),
        };
        Self { cache: HttpCache::new(hold, service, transport) }
    }

    /// A GET request.
    pub fn get(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A POST request.
    pub fn post(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A request. Under the pipeline's policy the key contains the URL as it is written here.
    pub fn request(&self, method: Method, url: impl Into<String>) -> RequestBuilder {
        let cache_request = CacheRequest {
            method,
            url: url.into(),
            params: None,
            fields: HeaderMap::new(),
            body: RequestBody::Empty,
            extensions: Extensions::new(),
            body_validator: None,
        };
        RequestBuilder { cache: self.cache.clone(), request: Ok(cache_request) }
    }

    /// Returns a client that ignores stored responses: [`HttpCache::reload`].
    pub fn reload(&self) -> Self {
        Self { cache: self.cache.reload() }
    }

    /// Returns a client that bypasses the cache: [`HttpCache::bypassed`].
    pub fn bypassed(&self) -> Self {
        Self { cache: self.cache.bypassed() }
    }

    /// Sends a request of the `http` crate: [`HttpCache::fetch`].
    pub async fn fetch(&self, request: http::Request<Bytes>) -> Result<CachedResponse, FetchError> {
        self.cache.fetch(request).await
    }
}

impl From<HttpCache> for CachedClient {
    /// Creates a client of a cache with a custom transport.
    fn from(cache: HttpCache) -> Self {
        Self { cache }
    }
}

/// A request builder. Invalid parts are reported by [`Self::send`].
#[must_use = "nothing is sent before `send`"]
pub struct RequestBuilder {
    cache: HttpCache,
    request: Result<CacheRequest, FetchError>,
}

impl RequestBuilder {
    /// Adds query parameters, which the key contains separately from the URL. A [`FormValue::Text`] is an encoded query.
    pub fn params(self, params: impl Into<FormValue>) -> Self {
        // The pipeline's key leaves empty parameters out.
        let params = Some(params.into()).filter(|params| !params.is_empty());
        self.and(|cache_request| {
            cache_request.params = params;
            Ok(())
        })
    }

    /// Sets a JSON body.
    pub fn json(self, value: &impl Serialize) -> Self {
        self.and(|cache_request| {
            cache_request.body = RequestBody::Json(serde_json::to_value(value).map_err(FetchError::request)?);
            Ok(())
        })
    }

    /// Sets a form body, from pairs; or any body, from text or bytes.
    pub fn data(self, data: impl Into<FormValue>) -> Self {
        self.and(|cache_request| {
            cache_request.body = RequestBody::Form(data.into());
            Ok(())
        })
    }

    /// Adds a header field.
    pub fn header(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.and(|cache_request| {
            let name = HeaderName::from_bytes(name.as_ref()).map_err(FetchError::request)?;
            let value = HeaderValue::from_bytes(value.as_ref()).map_err(FetchError::request)?;
            cache_request.fields.append(name, value);
            Ok(())
        })
    }

    /// Sets the timeout for the whole response, including its body.
    pub fn timeout(self, time: Duration) -> Self {
        self.and(|cache_request| {
            cache_request.extensions.insert(RequestTimeout(time));
            Ok(())
        })
    }

    /// Sets the TTL of the response.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.overriding(|overrides| overrides.ttl(ttl))
    }

    /// Sets whether a hit renews the TTL.
    pub fn refresh_on_access(self, refreshes: bool) -> Self {
        self.overriding(|overrides| overrides.refresh_on_access(refreshes))
    }

    /// Stores and serves the response for the TTL, regardless of RFC 9111, under a key of its own.
    pub fn ignore_rfc9111(self) -> Self {
        self.overriding(Overrides::ignore_rfc9111)
    }

    fn overriding(self, change: impl FnOnce(Overrides) -> Overrides) -> Self {
        self.and(|cache_request| {
            let overrides = cache_request.extensions.remove().unwrap_or_default();
            cache_request.extensions.insert(change(overrides));
            Ok(())
        })
    }

    /// Stores and serves the response only if `body_validator` accepts the decoded body, so that an error with status
    /// 200 is not cached. Rejected stored responses are deleted and fetched again.
    ///
    /// In any case, the caller receives the origin's response as a stream; the body is kept in memory meanwhile.
    pub fn store_if(self, body_validator: fn(&[u8]) -> bool) -> Self {
        self.and(|cache_request| {
            cache_request.body_validator = Some(body_validator);
            Ok(())
        })
    }

    /// Sends the request through the cache.
    ///
    /// # Errors
    /// If the request is invalid, or the origin failed.
    pub async fn send(self) -> Result<CachedResponse, FetchError> {
        self.cache.respond(self.request?).await
    }

    fn and(mut self, change: impl FnOnce(&mut CacheRequest) -> Result<(), FetchError>) -> Self {
        if let Ok(cache_request) = &mut self.request
            && let Err(error) = change(cache_request)
        {
            self.request = Err(error);
        }
        self
    }
}
