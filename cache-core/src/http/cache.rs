//! [`HttpCache`] and its main loop: look up, decide, wait for other fetches, serve or forward.
//!
//! ```text
//! HttpCache::respond(request)
//!  ├ RequestPlan::new                     key, policy, coalescing key                                 plan.rs
//!  └ loop
//!     ├ look_up(plan)              Found | Miss | Unavailable                                 lookup.rs
//!     ├ policy.decide(…, now)      pure
//!     ├ Serve         -> serve(…)  the response, and a request to revalidate it, started here serve.rs, revalidate.rs
//!     ├ Forward       -> single_flight.join(…), then forward(…)                               forward.rs
//!     └ Unsatisfiable -> 504
//! ```
//!
//! Every call goes down: none of these files imports this one. A body that was lost while it was read is fetched again
//! through [`Refetch`], which is implemented here and handed down.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock;
use crate::http::cache_status::CacheOutcome;
use crate::http::context::Context;
use crate::http::error::FetchError;
use crate::http::forward::{Known, answered, bypass, forward, forward_unconditional};
use crate::http::lookup::look_up;
use crate::http::plan::RequestPlan;
use crate::http::request::{CacheRequest, RequestBody};
use crate::http::response::CachedResponse;
use crate::http::resumable_body::Refetch;
use crate::http::revalidate::revalidate;
use crate::http::serve::{ServedResponse, serve};
use crate::model::entry::EntryId;
use crate::model::generation::Generation;
use crate::model::service::ServiceName;
use crate::model::stats::Counters;
use crate::model::stored::StoredResponse;
use crate::policy::decision::Decision;
use crate::runtime::shared::{CacheHandle, CacheMode};
use crate::runtime::single_flight::{Leader, Role, WaitBudget};
use crate::transport::traits::Transport;

/// The HTTP cache of a service: a policy, a store and a [`Transport`]. Clones share everything.
#[derive(Clone)]
pub struct HttpCache {
    context: Arc<Context>,
    handle: CacheHandle,
}

impl HttpCache {
    pub(crate) fn new(handle: CacheHandle, service: ServiceName, transport: Arc<dyn Transport>) -> Self {
        Self { context: Arc::new(Context::new(Arc::clone(&handle), service, transport)), handle }
    }

    /// Returns a handle that ignores stored responses and replaces them.
    pub fn reload(&self) -> Self {
        self.with(CacheMode::Reload)
    }

    /// Returns a handle that neither serves nor stores responses. Unsafe requests still invalidate stored ones.
    pub fn bypassed(&self) -> Self {
        self.with(CacheMode::NoStore)
    }

    fn with(&self, mode: CacheMode) -> Self {
        Self {
            context: Arc::new(Context { usage: mode, ..Context::clone(&self.context) }),
            handle: self.handle.clone(),
        }
    }

    /// Sends a request through the cache. Under the pipeline's policy, the body is part of the key as raw `data` is.
    ///
    /// [`Overrides`](crate::Overrides) among its extensions override the policy. The others are handed on to the
    /// transport: [`RequestTimeout`](crate::RequestTimeout), for example.
    ///
    /// # Errors
    /// If the request is invalid, or the origin failed.
    pub async fn fetch(&self, request: http::Request<Bytes>) -> Result<CachedResponse, FetchError> {
        let (head, body) = request.into_parts();
        let cache_request = CacheRequest {
            method: head.method,
            url: head.uri.to_string(),
            params: None,
            fields: head.headers,
            body: RequestBody::Raw(body),
            extensions: head.extensions,
            body_validator: None,
        };
        self.respond(cache_request).await
    }

    pub(crate) async fn respond(&self, cache_request: CacheRequest) -> Result<CachedResponse, FetchError> {
        let context = &self.context;
        let is_enabled = context.core.is_enabled && context.usage != CacheMode::NoStore;
        let plan = RequestPlan::new(cache_request, &context.policy, &context.fixed_ttl, is_enabled)?;
        let mode = context.usage;
        let request = Arc::new(PlannedRequest { context: Arc::clone(context), plan });
        let PlannedRequest { context, plan } = &*request;
        match mode {
            _ if plan.is_bypass => bypass(context, plan).await,
            CacheMode::Reload => {
                let found = look_up(context, plan).await;
                let generation = request.generation(!found.is_unavailable()).await;
                let known = Known { stored: &found.into_stored(), generation };
                forward_unconditional(context, plan, known, None, &request.refetch()).await
            }
            CacheMode::Default | CacheMode::NoStore => request.answer().await,
        }
    }
}

/// A request on its way through the cache.
struct PlannedRequest {
    context: Arc<Context>,
    plan: RequestPlan,
}

impl PlannedRequest {
    fn refetch(self: &Arc<Self>) -> Arc<dyn Refetch> {
        Arc::clone(self) as _
    }

    async fn answer(self: &Arc<Self>) -> Result<CachedResponse, FetchError> {
        let (context, plan, refetch) = (&self.context, &self.plan, self.refetch());
        let (mut stored, mut is_available) = self.look_up().await;
        let mut budget = WaitBudget::new(is_available);
        let mut leader: Option<Leader> = None;
        loop {
            match plan.policy.decide(&plan.request, &stored, clock::now()) {
                Decision::ServeStored(decision) => {
                    let index = decision.index;
                    let from = if decision.is_stale { CacheOutcome::Stale } else { CacheOutcome::Hit };
                    if let Some(served) = serve(context, plan, &stored, decision, from, &refetch).await {
                        let response = self.revalidated_in_background(served);
                        if let Some(leader) = leader {
                            leader.complete(true).await;
                        }
                        return Ok(response);
                    }
                    // The body is lost, so the response counts as not stored.
                    if index >= stored.len() {
                        return bypass(context, plan).await;
                    }
                    stored.remove(index);
                }
                Decision::Unsatisfiable => return Ok(context.gateway_timeout(plan)),
                Decision::Forward(decision) => {
                    let may_wait = leader.is_none() && budget.may_wait_again(stored.is_empty());
                    let role = if decision.can_be_shared && may_wait {
                        self.wait_for_others(&stored, &mut budget).await
                    } else {
                        Role::Independent
                    };
                    match role {
                        Role::Independent => {
                            let known = Known { stored: &stored, generation: self.generation(is_available).await };
                            return forward(context, plan, known, decision, leader, &refetch).await;
                        }
                        Role::Answered(answer) => {
                            if let Some(outcome) = answered(context, plan, &stored, &answer, &refetch).await {
                                return outcome;
                            }
                            let known = Known { stored: &stored, generation: self.generation(is_available).await };
                            return forward(context, plan, known, decision, None, &refetch).await;
                        }
                        Role::Leader(granted) => {
                            leader = Some(granted);
                            // Nothing can have been stored.
                            if !is_available {
                                continue;
                            }
                        }
                        Role::Retry => {}
                    }
                    (stored, is_available) = self.look_up().await;
                }
            }
        }
    }

    /// The stored responses, and whether the store is available.
    async fn look_up(&self) -> (Vec<StoredResponse>, bool) {
        let found = look_up(&self.context, &self.plan).await;
        let is_available = !found.is_unavailable();
        (found.into_stored(), is_available)
    }

    /// The generation of the key; `None`: the response cannot be stored.
    async fn generation(&self, is_available: bool) -> Option<Generation> {
        if is_available && self.plan.may_be_stored() { self.context.generation(&self.plan.key).await } else { None }
    }

    async fn wait_for_others(&self, stored: &[StoredResponse], budget: &mut WaitBudget) -> Role {
        let had_waited = budget.has_waited();
        let turn = self.context.core.single_flight.join(&self.plan.flight_key(stored), budget).await;
        let waits = u64::from(budget.has_waited() && !had_waited);
        if self.plan.is_counted() {
            self.context.count(Counters { waits, ..Counters::default() });
        }
        turn
    }

    /// Returns the response, and starts its revalidation in the background if one is due.
    fn revalidated_in_background(&self, served: ServedResponse) -> CachedResponse {
        if let Some(plan) = served.revalidate {
            let request = Arc::new(Self { context: Arc::clone(&self.context), plan });
            self.context.core.tasks.spawn(async move {
                revalidate(&request.context, &request.plan, &request.refetch()).await;
            });
        }
        served.response
    }
}

#[async_trait]
impl Refetch for PlannedRequest {
    /// One refetch for all callers that were reading the body.
    async fn refetch(&self, lost: &[EntryId]) -> Result<CachedResponse, FetchError> {
        let request = Self { context: Arc::clone(&self.context), plan: self.plan.for_refetch(lost) };
        Arc::new(request).answer().await
    }
}
