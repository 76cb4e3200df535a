//! Preparation of a request: cache key, policy and coalescing key.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::format::http_key::{RequestPayload, hishel1_key, pipeline_key};
use crate::http::error::FetchError;
use crate::http::overrides::Overrides;
use crate::http::request::{BodyValidator, CacheRequest};
use crate::http::{decode, header_map};
use crate::model::entry::{EntryId, Request, Response};
use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;
use crate::policy::conditional::unconditional;
use crate::policy::dispatch::Policy;
use crate::policy::fields::{is_condition, is_credential, is_negotiated};
use crate::policy::fixed_ttl::FixedTtl;
use crate::policy::{invalidation, vary};

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

impl RequestPlan {
    pub(crate) fn new(
        mut cache_request: CacheRequest,
        usual: &Policy,
        instead: &FixedTtl,
        is_enabled: bool,
    ) -> Result<Self, FetchError> {
        let overrides = cache_request.extensions.remove::<Overrides>().unwrap_or_default();
        if let Some(content_type) = cache_request.body.content_type() {
            cache_request.fields.entry(CONTENT_TYPE).or_insert(content_type);
        }
        let policy = policy(usual, instead, overrides);
        let decodes = matches!(usual, Policy::FixedTtl(_));
        let url = if decodes { None } else { Some(cache_request.target()?) };
        let key = match (&policy, &url) {
            (Policy::Rfc9111(_), Some(url)) => hishel1_key(url.as_str().as_bytes()),
            // Also for a request that ignores RFC 9111: one that follows it must not find the response.
            _ => cache_request.pipeline_key(),
        };
        let is_bypass = !is_enabled || is_bypass(&cache_request, &policy, url.as_ref());
        let mut request = Request {
            method: cache_request.method.as_str().to_owned(),
            url: url.map_or_else(|| cache_request.url.clone(), Into::into),
            headers: header_map::to_stored_headers(&cache_request.fields),
            ..Request::default()
        };
        if let Some(ttl) = overrides.ttl {
            request.extra.set_ttl(ttl.as_secs_f64());
        }
        let refreshes = match &policy {
            Policy::FixedTtl(policy) => policy.refresh_on_access,
            Policy::Rfc9111(_) => overrides.refresh_on_access == Some(true),
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

    /// Whether a policy stores responses to this method.
    pub(crate) fn may_be_stored(&self) -> bool {
        matches!(self.request.method.as_str(), "GET" | "POST")
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
        // hishel also stores responses under a hash of the request's body.
        matches!(self.policy, Policy::FixedTtl(_)) || found.entry.request.url == self.request.url
    }

    /// The coalescing key: requests with the same key get the same response. Under RFC 9111, header fields may select
    /// another one: those that `Vary` named the last time, or else those that usually do. A field that is new with every
    /// request is not among them.
    pub(crate) fn flight_key(&self, stored: &[StoredResponse]) -> String {
        if matches!(self.policy, Policy::FixedTtl(_)) {
            return self.key.to_string();
        }
        let known: Vec<String> = stored
            .iter()
            .flat_map(|found| vary::nominated(&found.entry.response.headers))
            .map(str::to_ascii_lowercase)
            .collect();
        let is_selecting = |name: &str| {
            is_credential(name) || if stored.is_empty() { is_negotiated(name) } else { known.iter().any(|k| k == name) }
        };
        let mut hash = Sha256::new();
        hash.update(format!("{} {}", self.request.method, self.request.url));
        for (name, values) in self.request.headers.iter().filter(|(name, _)| is_selecting(name)) {
            for value in values {
                hash.update(format!("\n{name}:{value}"));
            }
        }
        format!("{} {}", self.key, hex::encode(hash.finalize()))
    }

    /// Whether an answer to another request with the same coalescing key is one to this request, too.
    pub(crate) fn accepts_answer(&self, asked: &Request, response: &Response) -> bool {
        if matches!(self.policy, Policy::FixedTtl(_)) {
            return true;
        }
        let has_credentials = self.request.headers.iter().any(|(name, _)| is_credential(name));
        (response.status_code >= 400 || !has_credentials) && vary::matches(&response.headers, asked, &self.request)
    }

    /// The URL with its parameters, without credentials: as the pipeline stores it.
    pub(crate) fn stored_url(&self) -> Result<String, FetchError> {
        let mut url = self.cache_request.target()?;
        // These fail for URLs without a host, which hold no credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(url.into())
    }

    /// The keys whose stored responses this response outdates (RFC 9111, 4.4). Under the pipeline's policy a request that
    /// can be cached is a query, whatever its method.
    pub(crate) fn invalidated_keys(&self, response: &Response) -> Result<Vec<CacheKey>, FetchError> {
        if self.decodes && !self.is_bypass || !invalidation::invalidates(&self.request.method, response.status_code) {
            return Ok(Vec::new());
        }
        let request = Request { url: self.stored_url()?, ..self.request.clone() };
        let urls = invalidation::invalidated_urls(&request, response);
        let as_written = self.cache_request.pipeline_key_of_get();
        let keys = urls
            .iter()
            .flat_map(|url| [hishel1_key(url.as_bytes()), pipeline_key("GET", url, &RequestPayload::default())]);
        let mut keys: Vec<CacheKey> = keys.chain([as_written]).collect();
        keys.dedup();
        Ok(keys)
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
        request.extensions_mut().clone_from(&self.cache_request.extensions);
        Ok(request)
    }
}

/// Whether a request cannot be cached. `url`: `None` under the pipeline's policy.
fn is_bypass(cache_request: &CacheRequest, policy: &Policy, url: Option<&Url>) -> bool {
    // Policies do not see these credentials, so the response that depends on them must not be stored.
    let has_url_credentials = url.is_some_and(|url| !url.username().is_empty() || url.password().is_some());
    let Policy::FixedTtl(policy) = policy else { return has_url_credentials };
    let has = |is: fn(&str) -> bool| cache_request.fields.keys().any(|name| is(name.as_str()));
    has_url_credentials
        // The response to a conditional or range request would be mistaken for the whole one.
        || has(is_condition)
        || !policy.is_shared_by_all && has(is_credential)
        || !cache_request.has_pipeline_key()
}

/// The policy of the service with the overrides of the request. `instead`: the policy that ignores RFC 9111.
fn policy(usual: &Policy, instead: &FixedTtl, overrides: Overrides) -> Policy {
    let mut policy = match usual {
        Policy::Rfc9111(rules) if overrides.ignore_rfc9111 && !rules.is_shared => Policy::FixedTtl(instead.clone()),
        usual => usual.clone(),
    };
    if let (Policy::FixedTtl(policy), Some(refreshes)) = (&mut policy, overrides.refresh_on_access) {
        policy.refresh_on_access = refreshes;
    }
    policy
}
