//! Forwarding a request to the origin, and passing its response on to the caller and the store.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use url::Url;
use uuid::Uuid;

use crate::clock;
use crate::error::error_chain;
use crate::http::body::Body;
use crate::http::cache_status::{CacheOutcome, CacheStatus};
use crate::http::context::{Context, own_ttl};
use crate::http::error::FetchError;
use crate::http::origin_response::{OriginResponse, send};
use crate::http::plan::RequestPlan;
use crate::http::recorder::{BodyRecorder, RecordRequest};
use crate::http::response::CachedResponse;
use crate::http::resumable_body::Refetch;
use crate::http::serve::serve;
use crate::model::entry::{Entry, EntryId};
use crate::model::generation::Generation;
use crate::model::stats::Counters;
use crate::model::stored::StoredResponse;
use crate::policy::decision::{Decision, Exchange, Forward, Outcome, Reply, ServeStored, StoreAction};
use crate::runtime::shared_answer::SharedAnswer;
use crate::runtime::single_flight::Leader;

/// What is known of the store when a request is forwarded.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The stored responses to the request.
    pub(crate) stored: &'a [StoredResponse],
    /// The generation of the key; `None`: the response is not stored.
    pub(crate) generation: Option<Generation>,
}

impl Known<'_> {
    fn without_stored(self) -> Self {
        Self { stored: &[], ..self }
    }
}

/// Sends a request without the cache.
pub(crate) async fn bypass(context: &Context, plan: &RequestPlan) -> Result<CachedResponse, FetchError> {
    let response = send(context, plan, &plan.request).await?;
    Ok(response.into_cached_response(plan, CacheOutcome::Bypass, None).await)
}

/// Sends a request to the origin, and applies the policy's outcome.
pub(crate) async fn forward(
    context: &Arc<Context>,
    plan: &RequestPlan,
    known: Known<'_>,
    forward: Forward,
    leader: Option<Leader>,
    refetch: &Arc<dyn Refetch>,
) -> Result<CachedResponse, FetchError> {
    let stored = known.stored;
    let mut sent = forward.request;
    let requested_at = clock::now();
    let response = send(context, plan, &sent).await;
    let now = clock::now();
    let response = match response {
        Ok(response) => response,
        Err(error) => {
            let exchange = Exchange { request: &plan.request, sent: &sent, stored, requested_at, now };
            return on_unreachable(context, plan, exchange, error, leader, refetch).await;
        }
    };
    if plan.decodes {
        let asked = plan.stored_url()?;
        sent.url = response.url.as_deref().map_or_else(|| asked.clone(), |url| without_secrets(url, &asked));
    }
    let exchange = Exchange { request: &plan.request, sent: &sent, stored, requested_at, now };
    let outcome = plan.policy.receive(exchange, &response.to_stored());
    update_store(context, plan, stored, &outcome).await;
    let step = Received { context, plan, known, exchange, response, lead: leader, refetch };
    match outcome.reply {
        Reply::Origin(storing) => Ok(step.pass_on(storing).await),
        Reply::Validated(serve) => step.serve_validated(serve).await,
        Reply::Mismatch => forward_unconditional(context, plan, known.without_stored(), step.lead, refetch).await,
        Reply::InsteadOfError(serve) => Ok(step.serve_instead_of_error(serve).await),
    }
}

/// The origin did not respond: serves a stored response if the policy allows it.
async fn on_unreachable(
    context: &Arc<Context>,
    plan: &RequestPlan,
    exchange: Exchange<'_>,
    error: FetchError,
    leader: Option<Leader>,
    refetch: &Arc<dyn Refetch>,
) -> Result<CachedResponse, FetchError> {
    let seconds = plan.started.elapsed().as_secs_f64();
    tracing::warn!(service = %context.service, key = %plan.key, seconds, error = error_chain(&error), "error");
    if let Some(leader) = leader {
        match &error {
            FetchError::Origin(error) => leader.answer(SharedAnswer::Unreachable(error.repeat()), None).await,
            _ => leader.complete(false).await,
        }
    }
    serve_unreachable(context, plan, exchange, error, refetch).await
}

/// Serves a stored response if the policy allows it, or else returns the error.
async fn serve_unreachable(
    context: &Arc<Context>,
    plan: &RequestPlan,
    exchange: Exchange<'_>,
    error: FetchError,
    refetch: &Arc<dyn Refetch>,
) -> Result<CachedResponse, FetchError> {
    let instead = plan.policy.unreachable(exchange).filter(|_| may_serve_on_error(context, plan));
    let Some(instead) = instead else { return Err(error) };
    let response = serve_now(context, plan, exchange.stored, instead, CacheOutcome::Stale, refetch).await;
    response.ok_or(error)
}

/// Replies with the answer to another request that was under way; `None`: it is no answer to this one.
pub(crate) async fn answered(
    context: &Arc<Context>,
    plan: &RequestPlan,
    stored: &[StoredResponse],
    answer: &SharedAnswer,
    refetch: &Arc<dyn Refetch>,
) -> Option<Result<CachedResponse, FetchError>> {
    match answer {
        SharedAnswer::Unreachable(error) => {
            let (request, now) = (&plan.request, clock::now());
            let exchange = Exchange { request, sent: request, stored, requested_at: now, now };
            Some(serve_unreachable(context, plan, exchange, FetchError::Origin(error.repeat()), refetch).await)
        }
        SharedAnswer::Response { request, response, fields, body } => {
            let status = StatusCode::from_u16(response.status_code).ok()?;
            if !plan.accepts_answer(request, response) {
                return None;
            }
            context.record_miss(plan, None);
            let served = CacheStatus::by_origin(CacheOutcome::Miss, plan.key.clone());
            Some(Ok(CachedResponse::new(status, fields.clone().into(), served, Body::from(body.clone()))))
        }
    }
}

/// Whether a stored response may be served if the origin fails. A background request needs none.
fn may_serve_on_error(context: &Context, plan: &RequestPlan) -> bool {
    context.may_serve_stored() && plan.is_awaited()
}

/// As [`serve`], after a request to the origin: there is nothing to revalidate in the background.
async fn serve_now(
    context: &Arc<Context>,
    plan: &RequestPlan,
    stored: &[StoredResponse],
    decision: ServeStored,
    from: CacheOutcome,
    refetch: &Arc<dyn Refetch>,
) -> Option<CachedResponse> {
    Some(serve(context, plan, stored, decision, from, refetch).await?.response)
}

/// A response of the origin, with the state that is needed to reply to the caller.
struct Received<'a> {
    context: &'a Arc<Context>,
    plan: &'a RequestPlan,
    known: Known<'a>,
    exchange: Exchange<'a>,
    response: OriginResponse,
    lead: Option<Leader>,
    refetch: &'a Arc<dyn Refetch>,
}

impl Received<'_> {
    /// Replies with the origin's response, which is stored while it streams if that is allowed.
    async fn pass_on(self, storing: Option<StoreAction>) -> CachedResponse {
        let Self { context, plan, known, exchange, mut response, lead: leader, .. } = self;
        context.record_miss(plan, Some(exchange.now - exchange.requested_at));
        let storing = storing.filter(|storing| should_store(context, storing, response.length));
        let recording = match (storing, known.generation) {
            (Some(storing), Some(generation)) => {
                Some(record(context, plan, exchange.stored, storing, generation, leader))
            }
            _ => {
                if let Some(leader) = leader {
                    response = response.shared(leader, exchange.sent).await;
                }
                None
            }
        };
        response.into_cached_response(plan, CacheOutcome::Miss, recording).await
    }

    /// Replies with the stored response that the origin validated.
    async fn serve_validated(self, decision: ServeStored) -> Result<CachedResponse, FetchError> {
        let Self { context, plan, known, exchange, lead: leader, refetch, .. } = self;
        context.count(Counters { revalidations: 1, ..Counters::default() });
        let response = serve_now(context, plan, exchange.stored, decision, CacheOutcome::Revalidated, refetch).await;
        if let Some(response) = response {
            complete(leader, true).await;
            return Ok(response);
        }
        // The stored response is valid, but its body is lost.
        forward_unconditional(context, plan, known.without_stored(), leader, refetch).await
    }

    /// Replies with a stored response in place of the origin's error, or else with the error.
    async fn serve_instead_of_error(self, decision: ServeStored) -> CachedResponse {
        let Self { context, plan, exchange, response, lead: leader, refetch, .. } = self;
        complete(leader, false).await;
        if may_serve_on_error(context, plan)
            && let Some(stored) =
                serve_now(context, plan, exchange.stored, decision, CacheOutcome::Stale, refetch).await
        {
            return stored;
        }
        context.record_miss(plan, Some(exchange.now - exchange.requested_at));
        response.into_cached_response(plan, CacheOutcome::Miss, None).await
    }
}

/// Forwards without validators, as if nothing were stored. The response may replace those that are known.
pub(crate) async fn forward_unconditional(
    context: &Arc<Context>,
    plan: &RequestPlan,
    known: Known<'_>,
    leader: Option<Leader>,
    refetch: &Arc<dyn Refetch>,
) -> Result<CachedResponse, FetchError> {
    match plan.policy.decide(&plan.request, &[], clock::now()) {
        Decision::Forward(decision) => Box::pin(forward(context, plan, known, decision, leader, refetch)).await,
        _ => Ok(context.gateway_timeout(plan)),
    }
}

fn should_store(context: &Context, storing: &StoreAction, length: Option<u64>) -> bool {
    !own_ttl(&storing.request).unwrap_or(storing.retention).is_zero()
        && length.is_none_or(|length| length <= context.core.largest_entry)
}

fn record(
    context: &Arc<Context>,
    plan: &RequestPlan,
    stored: &[StoredResponse],
    storing: StoreAction,
    generation: Generation,
    leader: Option<Leader>,
) -> BodyRecorder {
    let entry = Entry {
        id: Uuid::new_v4(),
        cache_key: plan.key.clone(),
        request: storing.request,
        response: storing.response,
        created_at: Some(storing.created_at),
        deleted_at: None,
    };
    let retention = own_ttl(&entry.request).unwrap_or(storing.retention);
    let order = RecordRequest {
        entry,
        retention,
        generation,
        replaces: ids(stored, &storing.replaces),
        body_validator: plan.body_validator,
        started: plan.started,
        leader,
    };
    BodyRecorder::begin(context, order)
}

/// Updates and removes stored responses, before the caller sees the reply.
async fn update_store(context: &Context, plan: &RequestPlan, stored: &[StoredResponse], outcome: &Outcome) {
    let store = context.store(&plan.key);
    for update in &outcome.updates {
        let Some(found) = stored.get(update.index) else { continue };
        let entry = Entry {
            response: update.response.clone(),
            created_at: Some(update.created_at),
            ..Entry::clone(&found.entry)
        };
        // A TTL of zero is not possible, and the response may be in use.
        let retention = own_ttl(&entry.request).unwrap_or(update.retention).max(Duration::from_secs(1));
        let updated = store.call("replace", |store| async move {
            Ok(store.update_head(&found.id, &entry).await?
                && store.expire(std::slice::from_ref(&found.id), Some(retention)).await? > 0)
        });
        // Its old head may allow what the new one forbids.
        if updated.await.is_none() {
            context.remove(&plan.key, vec![found.id.clone()]).await;
        }
    }
    context.remove(&plan.key, ids(stored, &outcome.removals)).await;
}

/// The URL of a response as it is stored. If a redirect led there, the origin may have put secrets of this request into it.
fn without_secrets(url: &str, asked: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return String::new() };
    // These fail for URLs without a host, which hold no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.as_str() != asked {
        url.set_query(None);
    }
    url.into()
}

async fn complete(leader: Option<Leader>, is_storable: bool) {
    if let Some(leader) = leader {
        leader.complete(is_storable).await;
    }
}

fn ids(stored: &[StoredResponse], indexes: &[usize]) -> Vec<EntryId> {
    indexes.iter().filter_map(|index| Some(stored.get(*index)?.id.clone())).collect()
}
