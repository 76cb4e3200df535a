//! Looking up the stored responses of a request.

use std::time::Instant;

use crate::format::content_coding;
use crate::http::context::Context;
use crate::http::plan::RequestPlan;
use crate::http::request::BodyValidator;
use crate::http::response::coding;
use crate::model::key::CacheKey;
use crate::model::stats::Counters;
use crate::model::stored::{StoredResponse, collect_body};

/// Outcome of a lookup.
pub(crate) enum Lookup {
    /// At least one response, newest first.
    Found(Vec<StoredResponse>),
    Miss,
    /// The store failed.
    Unavailable,
}

impl Lookup {
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable)
    }

    /// The stored responses; none on a miss or a failure.
    pub(crate) fn into_stored(self) -> Vec<StoredResponse> {
        match self {
            Self::Found(stored) => stored,
            Self::Miss | Self::Unavailable => Vec::new(),
        }
    }
}

/// Looks the request's key up in the store.
pub(crate) async fn look_up(context: &Context, plan: &RequestPlan) -> Lookup {
    let started = Instant::now();
    let (key, refresh) = (&plan.key, plan.refresh().filter(|_| context.may_serve_stored()));
    let found = context.store(key).call("lookup", |store| async move { store.lookup(key, refresh).await }).await;
    let lookup_micros = started.elapsed().as_micros() as u64;
    if plan.is_counted() {
        context.count(Counters { lookup_micros, ..Counters::default() });
    }
    let Some(mut found) = found else { return Lookup::Unavailable };
    context.core.removals.retain(key, &mut found);
    found.retain(|found| plan.accepts(found));
    if let Some(body_validator) = plan.body_validator {
        found = validated(context, key, found, body_validator).await;
    }
    if found.is_empty() { Lookup::Miss } else { Lookup::Found(found) }
}

/// The responses with a decoded body that the caller's validator accepts. The others are removed.
async fn validated(
    context: &Context,
    key: &CacheKey,
    found: Vec<StoredResponse>,
    body_validator: BodyValidator,
) -> Vec<StoredResponse> {
    let store = context.store(key);
    let (mut valid, mut invalid) = (Vec::new(), Vec::new());
    for mut found in found {
        if found.body.is_none() {
            found.body = match store.body(&found.id).await {
                Some(body) => collect_body(body).await.ok(),
                None => None,
            };
        }
        // A response with a lost body cannot be served either.
        let Some(body) = &found.body else { continue };
        if body_validator(&content_coding::decode_body(body, coding(&found.entry.response.headers))) {
            valid.push(found);
        } else {
            invalid.push(found.id);
        }
    }
    context.remove(key, invalid).await;
    valid
}
