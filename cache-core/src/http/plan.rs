//! What a caller asks, and what the cache makes of it: a key, a policy, a name for its flight.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method};
use sha2::{Digest as _, Sha256};

use crate::format::hex::hex;
use crate::format::http_key;
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
    /// The store is neither asked nor told.
    pub(crate) is_bypass: bool,
    pub(crate) policy: Policy,
    /// The request as policies see it and as it is stored.
    pub(crate) request: Request,
    /// A hit lets its response live that long again, or, stored with a TTL of its own, as long as that.
    pub(crate) refreshes: bool,
    /// Bodies pass the cache without their content coding.
    pub(crate) decodes: bool,
    pub(crate) judge: Option<Judge>,
    key_is: KeyIs,
    answers: Answers,
    /// When the caller asked.
    pub(crate) started: Instant,
}

/// Whom an answer is for.
#[derive(Clone)]
enum Answers {
    /// Who asked just now.
    Caller,
    /// Who has the beginning of a body already, which was lost under these ids while he read it.
    Reader { lost: Vec<EntryId> },
    /// Nobody: it is to be stored.
    Nobody,
}

/// What a key tells of the responses under it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyIs {
    /// They answer this request.
    Enough,
    /// They may be of other methods or URLs.
    OfUrlOrBody { is_any_method: bool },
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
        let mut request = Request { method: asked.method.as_str().to_owned(), ..Request::default() };
        let ignores_specification = decodes || overrides.ignores_specification;
        // The answer to a condition, or to a wish for a part, would be taken for the whole.
        let is_conditional = asked.fields.keys().any(|name| is_condition(name.as_str()));
        let mut is_bypass =
            !is_enabled || ignores_specification && is_conditional || decodes && !asked.has_pipeline_key();
        let (key, key_is) = if decodes {
            request.url.clone_from(&asked.url);
            (asked.pipeline_key(), KeyIs::Enough)
        } else {
            let url = asked.target()?;
            // Credentials that no policy sees: neither they nor what they open may be stored.
            is_bypass |= !url.username().is_empty() || url.password().is_some();
            request.url = url.into();
            let key = if overrides.has_body_key {
                http_key::hishel1_key(&asked.body.bytes())
            } else {
                http_key::hishel1_key(request.url.as_bytes())
            };
            (key, KeyIs::OfUrlOrBody { is_any_method: !overrides.ignores_specification })
        };
        request.headers = header_map::stored(&asked.fields);
        if let Some(ttl) = overrides.ttl {
            request.extra.set_ttl(ttl);
        }
        let mut policy = usual.clone();
        if overrides.ignores_specification && !decodes {
            policy = Policy::Ttl(Ttl { ttl: service_ttl, refresh_on_access: false });
        }
        if let (Policy::Ttl(policy), Some(refreshes)) = (&mut policy, overrides.refreshes) {
            policy.refresh_on_access = refreshes;
        }
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
            key_is,
            answers: Answers::Caller,
            started: Instant::now(),
        })
    }

    /// The same for the whole body, which is not to come from these stored responses: they lost theirs.
    pub(crate) fn again(&self, lost: &[EntryId]) -> Self {
        self.whole(Answers::Reader { lost: lost.to_vec() })
    }

    /// The same for nobody who waits for it: the whole response, as it is to be stored.
    pub(crate) fn in_background(&self) -> Self {
        self.whole(Answers::Nobody)
    }

    fn whole(&self, answers: Answers) -> Self {
        Self { request: unconditional(&self.request), answers, started: Instant::now(), ..self.clone() }
    }

    /// Whether somebody waits for the answer.
    pub(crate) fn is_awaited(&self) -> bool {
        !matches!(self.answers, Answers::Nobody)
    }

    /// Whether a caller asked just now: only of those is it counted how they were answered.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.answers, Answers::Caller)
    }

    /// Whether this is for a caller who has the beginning of a body already, and sees to it himself that he gets the
    /// rest.
    pub(crate) fn is_again(&self) -> bool {
        matches!(self.answers, Answers::Reader { .. })
    }

    /// What a look-up is to do with the TTL of what it finds.
    pub(crate) fn refresh(&self) -> Option<Duration> {
        match &self.policy {
            Policy::Ttl(policy) if self.refreshes => Some(policy.ttl),
            _ => None,
        }
    }

    /// Whether a stored response answers this request, as far as that is not for the policy to say.
    pub(crate) fn is_answered_by(&self, found: &StoredResponse) -> bool {
        if let Answers::Reader { lost } = &self.answers
            && lost.contains(&found.id)
        {
            return false;
        }
        let stored = &found.entry.request;
        match self.key_is {
            KeyIs::Enough => true,
            KeyIs::OfUrlOrBody { is_any_method } => {
                stored.url == self.request.url && (is_any_method || stored.method == self.request.method)
            }
        }
    }

    /// Requests of one flight get the same answer. Under RFC 9111 the fields may select another one, and a key that was
    /// made of the body does not tell URLs apart.
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

    /// The URL that the pipeline stores: with its parameters, as it is sent, without credentials.
    pub(crate) fn stored_url(&self) -> Result<String, FetchError> {
        let mut url = self.asked.target()?;
        // These fail for URLs without a host, which hold no credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(url.into())
    }

    /// The request for the origin, with these fields in place of the caller's.
    pub(crate) fn to_origin(&self, sent: &Request) -> Result<http::Request<Bytes>, FetchError> {
        let url = self.asked.target()?;
        let mut fields = header_map::sent(&sent.headers);
        if self.decodes {
            // A part of what is coded can be decoded by nobody.
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
