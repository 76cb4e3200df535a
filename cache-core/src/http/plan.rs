//! Preparation of a request: its cache key, its policy, and the key under which concurrent fetches are shared.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::format::hex::hex;
use crate::format::http_key::hishel1_key;
use crate::http::error::FetchError;
use crate::http::hishel_headers::Overrides;
use crate::http::request::{Asked, Judge};
use crate::http::{decode, header_map};
use crate::model::entry::{EntryId, Request};
use crate::model::key::CacheKey;
use crate::model::stored::StoredResponse;
use crate::policy::conditional::unconditional;
use crate::policy::dispatch::Policy;
use crate::policy::fields::is_condition;
use crate::policy::fixed_ttl::Ttl;
use crate::transport::traits::Timeout;

/// How a request goes through the cache.
#[derive(Clone)]
pub(crate) struct Plan {
    asked: Asked,
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
    pub(crate) judge: Option<Judge>,
    key_scope: KeyScope,
    purpose: Purpose,
    /// When the request arrived.
    pub(crate) started: Instant,
}

/// What a response is for.
#[derive(Clone)]
enum Purpose {
    /// A caller's new request.
    Request,
    /// A refetch for a caller that has received part of a body. `lost`: entries that must not be served again, since
    /// their body is gone.
    Refetch { lost: Vec<EntryId> },
    /// A background request, whose response is only stored.
    Background,
}

/// How far a key identifies the responses under it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyScope {
    /// They all answer this request.
    Request,
    /// They may be of other methods or URLs.
    UrlOrBody { is_any_method: bool },
}

impl Plan {
    pub(crate) fn new(
        mut asked: Asked,
        usual: &Policy,
        service_ttl: Duration,
        is_enabled: bool,
    ) -> Result<Self, FetchError> {
        let overrides = Overrides::take(&mut asked.fields);
        if let Some(content_type) = asked.body.content_type() {
            asked.fields.entry(CONTENT_TYPE).or_insert(content_type);
        }
        let decodes = matches!(usual, Policy::Ttl(_));
        let (key, key_scope, url) = if decodes {
            (asked.pipeline_key(), KeyScope::Request, None)
        } else {
            let url = asked.target()?;
            let scope = KeyScope::UrlOrBody { is_any_method: !overrides.ignores_specification };
            (hishel_key(&asked, &overrides, &url), scope, Some(url))
        };
        let is_bypass = !is_enabled || is_bypass(&asked, &overrides, url.as_ref());
        let mut request = Request {
            method: asked.method.as_str().to_owned(),
            url: url.map_or_else(|| asked.url.clone(), Into::into),
            headers: header_map::stored(&asked.fields),
            ..Request::default()
        };
        if let Some(ttl) = overrides.ttl {
            request.extra.set_ttl(ttl);
        }
        let policy = policy(usual, &overrides, service_ttl);
        let refreshes = match &policy {
            Policy::Ttl(policy) => policy.refresh_on_access,
            Policy::Specification(_) => overrides.refreshes == Some(true),
        };
        Ok(Self {
            judge: asked.judge,
            asked,
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

    /// The same request for the whole body, which these stored responses have lost.
    pub(crate) fn for_refetch(&self, lost: &[EntryId]) -> Self {
        self.whole(Purpose::Refetch { lost: lost.to_vec() })
    }

    /// The same request for the whole response, without a caller.
    pub(crate) fn in_background(&self) -> Self {
        self.whole(Purpose::Background)
    }

    fn whole(&self, purpose: Purpose) -> Self {
        Self { request: unconditional(&self.request), purpose, started: Instant::now(), ..self.clone() }
    }

    /// Whether a caller waits for the response.
    pub(crate) fn is_awaited(&self) -> bool {
        !matches!(self.purpose, Purpose::Background)
    }

    /// Whether it is counted how this request is answered: a caller's new request is, its refetches are not.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.purpose, Purpose::Request)
    }

    /// Whether the caller resumes a body, and recovers it itself if it is lost once more.
    pub(crate) fn is_refetch(&self) -> bool {
        matches!(self.purpose, Purpose::Refetch { .. })
    }

    /// The TTL that a lookup renews; `None`: none.
    pub(crate) fn refresh(&self) -> Option<Duration> {
        match &self.policy {
            Policy::Ttl(policy) if self.refreshes => Some(policy.ttl),
            _ => None,
        }
    }

    /// Whether a stored response is of this request; whether it may be served is for the policy to decide.
    pub(crate) fn is_answered_by(&self, found: &StoredResponse) -> bool {
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

    /// The key of the fetch: requests with the same one get the same response. Under RFC 9111 header fields may select
    /// another response, and a key that was made of the body does not distinguish URLs.
    pub(crate) fn flight(&self) -> String {
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
        format!("{} {}", self.key, hex(&hash.finalize()))
    }

    /// The URL that the pipeline stores: with its parameters, without credentials.
    pub(crate) fn stored_url(&self) -> Result<String, FetchError> {
        let mut url = self.asked.target()?;
        // These fail for URLs without a host, which hold no credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(url.into())
    }

    /// The request for the origin, with the header fields of `sent` in place of the caller's.
    pub(crate) fn to_origin(&self, sent: &Request) -> Result<http::Request<Bytes>, FetchError> {
        let url = self.asked.target()?;
        let mut fields = header_map::sent(&sent.headers);
        if self.decodes {
            // A part of an encoded body cannot be decoded.
            let accepted = if fields.contains_key(RANGE) { "identity" } else { decode::ACCEPTED };
            fields.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(accepted));
        }
        let method = Method::from_bytes(sent.method.as_bytes()).map_err(FetchError::request)?;
        let mut request = http::Request::new(self.asked.body.bytes());
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(FetchError::request)?;
        *request.headers_mut() = fields;
        if let Some(timeout) = self.asked.timeout {
            request.extensions_mut().insert(Timeout(timeout));
        }
        Ok(request)
    }
}

/// hishel's key of a request: of its URL, or of its body if the request has that override.
fn hishel_key(asked: &Asked, overrides: &Overrides, url: &Url) -> CacheKey {
    if overrides.has_body_key { hishel1_key(&asked.body.bytes()) } else { hishel1_key(url.as_str().as_bytes()) }
}

/// Whether a request cannot be cached. `url`: `None` under the pipeline's policy.
fn is_bypass(asked: &Asked, overrides: &Overrides, url: Option<&Url>) -> bool {
    // The response to a conditional or range request would be taken for the whole one.
    let is_conditional = || asked.fields.keys().any(|name| is_condition(name.as_str()));
    match url {
        None => is_conditional() || !asked.has_pipeline_key(),
        // Policies do not see these credentials, so the response that depends on them must not be stored.
        Some(url) => {
            overrides.ignores_specification && is_conditional()
                || !url.username().is_empty()
                || url.password().is_some()
        }
    }
}

/// The usual policy of the service with the overrides of the request.
fn policy(usual: &Policy, overrides: &Overrides, service_ttl: Duration) -> Policy {
    let ignores_rfc9111 = overrides.ignores_specification && !matches!(usual, Policy::Ttl(_));
    let mut policy =
        if ignores_rfc9111 { Policy::Ttl(Ttl { ttl: service_ttl, refresh_on_access: false }) } else { usual.clone() };
    if let (Policy::Ttl(policy), Some(refreshes)) = (&mut policy, overrides.refreshes) {
        policy.refresh_on_access = refreshes;
    }
    policy
}
