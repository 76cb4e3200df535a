//! Preparation of a request: cache key, policy and coalescing key.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::format::http_key::hishel1_key;
use crate::http::error::FetchError;
use crate::http::hishel_headers::HishelHeaders;
use crate::http::request::{BodyValidator, CacheRequest};
use crate::http::{decode, header_map};
use crate::model::entry::{EntryId, Request};
use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;
use crate::policy::conditional::unconditional;
use crate::policy::dispatch::Policy;
use crate::policy::fields::is_condition;
use crate::policy::fixed_ttl::FixedTtl;
use crate::transport::traits::RequestTimeout;

/// The prepared request.
#[derive(Clone)]
pub(crate) struct RequestPlan {
    cache_request: CacheRequest,
    pub(crate) key: CacheKey,
    /// The store is neither read nor written.
    pub(crate) is_bypass: bool,
    pub(crate) policy: Policy,
    /// The request as policies see it and as it is stored.
    pub(crate) request: Request,
    /// A hit renews the TTL of its response, or the one that the response was stored with.
    pub(crate) refreshes: bool,
    /// Bodies are decoded on their way to the caller and the store.
    pub(crate) decodes: bool,
    pub(crate) body_validator: Option<BodyValidator>,
    key_scope: KeyScope,
    purpose: Purpose,
    /// When the request arrived.
    pub(crate) started: Instant,
}

/// The purpose of a request.
#[derive(Clone)]
enum Purpose {
    /// A caller's new request.
    Request,
    /// A refetch for a caller that has received part of a body. `lost`: entries that must not be served again, since
    /// their body is gone.
    Refetch { lost: Vec<EntryId> },
    /// A background request: its response is only stored.
    Background,
}

/// Which responses may be stored under the key of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyScope {
    /// Responses to this request only.
    Request,
    /// Responses to other methods or URLs, too.
    UrlOrBody { is_any_method: bool },
}

impl RequestPlan {
    pub(crate) fn new(
        mut cache_request: CacheRequest,
        usual: &Policy,
        service_ttl: Duration,
        is_enabled: bool,
    ) -> Result<Self, FetchError> {
        let hishel_headers = HishelHeaders::take(&mut cache_request.fields);
        if let Some(content_type) = cache_request.body.content_type() {
            cache_request.fields.entry(CONTENT_TYPE).or_insert(content_type);
        }
        let decodes = matches!(usual, Policy::FixedTtl(_));
        let (key, key_scope, url) = if decodes {
            (cache_request.pipeline_key(), KeyScope::Request, None)
        } else {
            let url = cache_request.target()?;
            let scope = KeyScope::UrlOrBody { is_any_method: !hishel_headers.ignores_specification };
            (hishel_key(&cache_request, &hishel_headers, &url), scope, Some(url))
        };
        let is_bypass = !is_enabled || is_bypass(&cache_request, &hishel_headers, url.as_ref());
        let mut request = Request {
            method: cache_request.method.as_str().to_owned(),
            url: url.map_or_else(|| cache_request.url.clone(), Into::into),
            headers: header_map::to_stored_headers(&cache_request.fields),
            ..Request::default()
        };
        if let Some(ttl) = hishel_headers.ttl {
            request.extra.set_ttl(ttl);
        }
        let policy = policy(usual, &hishel_headers, service_ttl);
        let refreshes = match &policy {
            Policy::FixedTtl(policy) => policy.refresh_on_access,
            Policy::Rfc9111(_) => hishel_headers.refreshes == Some(true),
        };
        Ok(Self {
            body_validator: cache_request.body_validator,
            cache_request,
            key,
            is_bypass,
            policy,
            request,
            refreshes,
            decodes,
            key_scope,
            purpose: Purpose::Request,
            started: Instant::now(),
        })
    }

    /// The same request for the whole body, after these stored responses have lost it.
    pub(crate) fn for_refetch(&self, lost: &[EntryId]) -> Self {
        self.without_conditions(Purpose::Refetch { lost: lost.to_vec() })
    }

    /// The same request for the whole response, without a caller.
    pub(crate) fn for_revalidation(&self) -> Self {
        self.without_conditions(Purpose::Background)
    }

    fn without_conditions(&self, purpose: Purpose) -> Self {
        Self { request: unconditional(&self.request), purpose, started: Instant::now(), ..self.clone() }
    }

    /// Whether a caller waits for the response.
    pub(crate) fn is_awaited(&self) -> bool {
        !matches!(self.purpose, Purpose::Background)
    }

    /// Whether the request is counted: a caller's new request is, its refetches are not.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.purpose, Purpose::Request)
    }

    /// Whether the caller resumes a body, and recovers it itself if it is lost once more.
    pub(crate) fn is_refetch(&self) -> bool {
        matches!(self.purpose, Purpose::Refetch { .. })
    }

    /// The TTL that a lookup sets, if any.
    pub(crate) fn refresh(&self) -> Option<Duration> {
        match &self.policy {
            Policy::FixedTtl(policy) if self.refreshes => Some(policy.ttl),
            _ => None,
        }
    }

    /// Whether a stored response is one to this request; the policy decides whether it may be served.
    pub(crate) fn accepts(&self, found: &StoredResponse) -> bool {
        if let Purpose::Refetch { lost } = &self.purpose
            && lost.contains(&found.id)
        {
            return false;
        }
        let stored = &found.entry.request;
        match self.key_scope {
            KeyScope::Request => true,
            KeyScope::UrlOrBody { is_any_method } => {
                stored.url == self.request.url && (is_any_method || stored.method == self.request.method)
            }
        }
    }

    /// The coalescing key: requests with the same key get the same response. Under RFC 9111 header fields may select
    /// another response, and a key made from the body does not distinguish URLs.
    pub(crate) fn flight_key(&self) -> String {
        if self.decodes {
            return self.key.to_string();
        }
        let mut hash = Sha256::new();
        hash.update(format!("{} {}", self.request.method, self.request.url));
        for (name, values) in self.request.headers.iter().filter(|(name, _)| *name != "connection") {
            for value in values {
                hash.update(format!("\n{name}:{value}"));
            }
        }
        format!("{} {}", self.key, hex::encode(hash.finalize()))
    }

    /// The URL that the pipeline stores: with its parameters, without credentials.
    pub(crate) fn stored_url(&self) -> Result<String, FetchError> {
        let mut url = self.cache_request.target()?;
        // These fail for URLs without a host, which hold no credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(url.into())
    }

    /// The request for the origin, with the header fields of `sent` in place of the caller's.
    pub(crate) fn to_origin(&self, sent: &Request) -> Result<http::Request<Bytes>, FetchError> {
        let url = self.cache_request.target()?;
        let mut fields = header_map::to_header_map(&sent.headers);
        if self.decodes {
            // A part of an encoded body cannot be decoded.
            let accepted = if fields.contains_key(RANGE) { "identity" } else { decode::ACCEPTED };
            fields.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(accepted));
        }
        let method = Method::from_bytes(sent.method.as_bytes()).map_err(FetchError::request)?;
        let mut request = http::Request::new(self.cache_request.body.bytes());
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(FetchError::request)?;
        *request.headers_mut() = fields;
        if let Some(timeout) = self.cache_request.timeout {
            request.extensions_mut().insert(RequestTimeout(timeout));
        }
        Ok(request)
    }
}

/// hishel's key of a request: made from its URL, or from its body if the request has that override.
fn hishel_key(cache_request: &CacheRequest, hishel_headers: &HishelHeaders, url: &Url) -> CacheKey {
    if hishel_headers.has_body_key {
        hishel1_key(&cache_request.body.bytes())
    } else {
        hishel1_key(url.as_str().as_bytes())
    }
}

/// Whether a request cannot be cached. `url`: `None` under the pipeline's policy.
fn is_bypass(cache_request: &CacheRequest, hishel_headers: &HishelHeaders, url: Option<&Url>) -> bool {
    // The response to a conditional or range request would be mistaken for the whole one.
    let is_conditional = || cache_request.fields.keys().any(|name| is_condition(name.as_str()));
    match url {
        None => is_conditional() || !cache_request.has_pipeline_key(),
        // Policies do not see these credentials, so the response that depends on them must not be stored.
        Some(url) => {
            hishel_headers.ignores_specification && is_conditional()
                || !url.username().is_empty()
                || url.password().is_some()
        }
    }
}

/// The policy of the service with the overrides of the request.
fn policy(usual: &Policy, hishel_headers: &HishelHeaders, service_ttl: Duration) -> Policy {
    let ignores_rfc9111 = hishel_headers.ignores_specification && !matches!(usual, Policy::FixedTtl(_));
    let mut policy = if ignores_rfc9111 {
        Policy::FixedTtl(FixedTtl { ttl: service_ttl, refresh_on_access: false })
    } else {
        usual.clone()
    };
    if let (Policy::FixedTtl(policy), Some(refreshes)) = (&mut policy, hishel_headers.refreshes) {
        policy.refresh_on_access = refreshes;
    }
    policy
}
