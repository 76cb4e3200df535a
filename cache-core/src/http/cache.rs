//! A request's way through the cache: look up, decide, wait for others, serve or forward.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, StatusCode};

use super::body::Body;
use super::decode::{self, Coding, decoded, is_text};
use super::fetched::{FetchError, Fetched, Head, Served, ServedFrom, coding};
use super::origin::own_ttl;
use super::plan::{Asked, Judge, Plan, RequestBody};
use super::replay::{Again, replayed};
use super::send::{Incoming, SendError, Sender};
use crate::cache::{Core, Hold, Usage};
use crate::clock;
use crate::coalesce::{Lead, Turn, Waiting};
use crate::codec;
use crate::counters::{Counts, Scope};
use crate::entry::{EntryId, Response};
use crate::error::chain;
use crate::grace::Graceful;
use crate::key::CacheKey;
use crate::policy::{Decision, Part, Policy, Serve};
use crate::service::Service;
use crate::store::{Found, whole};

/// The HTTP cache of one service: a policy, a store, and a sender for what they cannot answer. Clones share everything.
#[derive(Clone)]
pub struct HttpCache {
    inner: Arc<Inner>,
    /// Tasks of the cache hold [`Inner`] alone, so that they do not keep it alive.
    hold: Hold,
}

pub(super) struct Inner {
    pub(super) core: Arc<Core>,
    pub(super) service: Service,
    pub(super) scope: Scope,
    pub(super) policy: Policy,
    pub(super) sender: Arc<dyn Sender>,
    usage: Usage,
}

impl HttpCache {
    pub(crate) fn new(hold: Hold, service: Service, sender: Arc<dyn Sender>) -> Self {
        let core = Arc::clone(&hold);
        let policy = core.services.policy(service);
        let scope = Scope::Http(service);
        let inner = Inner { core, service, scope, policy, sender, usage: Usage::Full };
        Self { inner: Arc::new(inner), hold }
    }

    /// The same cache, whose answers all come from the origin: what is stored answers nothing, and is replaced.
    pub fn anew(&self) -> Self {
        self.with(Usage::Anew)
    }

    /// The same requests past the cache: it neither answers nor stores.
    pub fn bypassed(&self) -> Self {
        self.with(Usage::Bypassed)
    }

    fn with(&self, usage: Usage) -> Self {
        let Inner { core, service, scope, policy, sender, .. } = &*self.inner;
        let inner = Inner {
            core: Arc::clone(core),
            service: *service,
            scope: scope.clone(),
            policy: policy.clone(),
            sender: Arc::clone(sender),
            usage,
        };
        Self { inner: Arc::new(inner), hold: self.hold.clone() }
    }

    /// Answers a request, from the store where the policy allows it. The body is asked for as it is; where the policy
    /// is the pipeline's, it counts for the key as raw `data` does.
    ///
    /// Fails only where the request cannot be sent, or the origin does not answer.
    pub async fn fetch(&self, request: http::Request<Bytes>) -> Result<Fetched, FetchError> {
        let (head, body) = request.into_parts();
        let asked = Asked {
            method: head.method,
            url: head.uri.to_string(),
            params: None,
            fields: head.headers,
            body: RequestBody::Raw(body),
            timeout: None,
            judge: None,
        };
        self.answer(asked).await
    }

    pub(super) async fn answer(&self, asked: Asked) -> Result<Fetched, FetchError> {
        let inner = &self.inner;
        let ttl = inner.core.services.ttl(inner.service);
        let is_enabled = inner.core.is_enabled && inner.usage != Usage::Bypassed;
        let plan = Arc::new(Plan::new(asked, &inner.policy, ttl, is_enabled)?);
        match inner.usage {
            _ if plan.is_bypass => inner.bypass(&plan).await,
            Usage::Anew => {
                let stored = inner.look_up(&plan).await.unwrap_or_default();
                inner.forward_anew(&plan, &stored, None).await
            }
            Usage::Full | Usage::Bypassed => inner.answer(&plan).await,
        }
    }
}

impl Inner {
    pub(super) fn count(&self, happened: Counts) {
        self.core.counters.count(&self.scope, happened);
    }

    /// The store, whose failures are told, and counted, as those of this service and key.
    pub(super) fn store(&self, key: &CacheKey) -> Graceful {
        let (service, key, counters) = (self.service, key.clone(), Arc::clone(&self.core.counters));
        self.core.store.telling(move |operation, error| {
            tracing::warn!(%service, %key, operation, error = chain(error), "error");
            counters.count(&Scope::Http(service), Counts { errors: 1, ..Counts::default() });
        })
    }

    async fn answer(self: &Arc<Self>, plan: &Arc<Plan>) -> Result<Fetched, FetchError> {
        let found = self.look_up(plan).await;
        let mut is_answering = found.is_some();
        let mut stored = found.unwrap_or_default();
        let mut waiting = Waiting::default();
        let mut lead: Option<Lead> = None;
        loop {
            match plan.policy.decide(&plan.request, &stored, clock::now()) {
                Decision::Serve(serve) => {
                    let (index, from) = (serve.index, if serve.is_stale { ServedFrom::Stale } else { ServedFrom::Hit });
                    if let Some(fetched) = self.serve(plan, &stored, serve, from).await {
                        if let Some(lead) = lead {
                            lead.land(true).await;
                        }
                        return Ok(fetched);
                    }
                    // Its body is gone, so it is as if it were not stored.
                    if index >= stored.len() {
                        return self.bypass(plan).await;
                    }
                    stored.remove(index);
                }
                Decision::Unsatisfiable => return Ok(unsatisfiable(plan)),
                Decision::Forward(forward) => {
                    // Without a store there is nothing that others could wait for.
                    let may_wait = is_answering && lead.is_none() && waiting.may_go_on(stored.is_empty());
                    if !forward.can_be_shared || !may_wait {
                        return self.forward(plan, &stored, forward, lead).await;
                    }
                    let had_waited = waiting.has_waited();
                    let turn = self.core.flights.board(&plan.flight(), &mut waiting).await;
                    let waits = u64::from(waiting.has_waited() && !had_waited);
                    self.count(Counts { waits, ..Counts::default() });
                    match turn {
                        Turn::Alone => return self.forward(plan, &stored, forward, None).await,
                        Turn::Lead(seat) => lead = Some(seat),
                        Turn::LookAgain => {}
                    }
                    let found = self.look_up(plan).await;
                    is_answering = found.is_some();
                    stored = found.unwrap_or_default();
                }
            }
        }
    }

    /// The whole of a response again whose body was lost, in the store under all of these ids: one request for all who
    /// were reading it.
    pub(super) async fn answer_again(
        self: &Arc<Self>,
        plan: &Plan,
        lost: &[EntryId],
        response: &Response,
    ) -> Result<Fetched, SendError> {
        let plan = Arc::new(plan.again(lost));
        let fetched = self.answer(&plan).await?;
        if fetched.is_as(response) {
            return Ok(fetched);
        }
        self.read_on(fetched);
        Err(SendError::broken("the stored body was lost, and another response has come in its place"))
    }

    /// Reads an answer of the origin to its end, so that it is stored, though its caller has no use for it: else the
    /// next of those who wait for it would ask again.
    fn read_on(&self, fetched: Fetched) {
        if fetched.served().entry.is_none() {
            self.core.tasks.spawn(read_to_end(fetched.into_body()));
        }
    }

    /// Whether what is stored may answer.
    pub(super) fn serves(&self) -> bool {
        self.usage == Usage::Full
    }

    /// What is stored under the key and may answer; `None` where the store does not say.
    async fn look_up(&self, plan: &Plan) -> Option<Vec<Found>> {
        let started = Instant::now();
        let (key, refresh) = (&plan.key, plan.refresh().filter(|_| self.serves()));
        let found = self.store(key).ask("lookup", |store| async move { store.lookup(key, refresh).await }).await;
        let lookup_micros = started.elapsed().as_micros() as u64;
        self.count(Counts { lookup_micros, ..Counts::default() });
        let mut found = found?;
        found.retain(|found| plan.is_answered_by(found));
        if let Some(judge) = plan.judge {
            found = self.judged(key, found, judge).await;
        }
        Some(found)
    }

    /// Those whose bodies the caller has nothing against. The others are removed.
    async fn judged(&self, key: &CacheKey, found: Vec<Found>, judge: Judge) -> Vec<Found> {
        let store = self.store(key);
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for mut found in found {
            if found.body.is_none() {
                found.body = match store.body(&found.id).await {
                    Some(body) => whole(body).await.ok(),
                    None => None,
                };
            }
            // One whose body is gone cannot answer either.
            let Some(body) = &found.body else { continue };
            if judge(&codec::body::decoded(body, coding(&found.entry.response.headers))) {
                good.push(found);
            } else {
                bad.push(found.id);
            }
        }
        if !bad.is_empty() {
            store.ask("remove", |store| async move { store.remove(&bad).await }).await;
        }
        good
    }

    /// Answers with a stored response; `None`: its body is gone.
    pub(super) async fn serve(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        stored: &[Found],
        serve: Serve,
        from: ServedFrom,
    ) -> Option<Fetched> {
        let found = stored.get(serve.index)?;
        let response = serve.response.as_ref().unwrap_or(&found.entry.response);
        let status = StatusCode::from_u16(response.status_code).ok()?;
        let (body, is_decoded) = match serve.body {
            Part::None => (Body::from(Bytes::new()), plan.decodes && coding(&found.entry.response.headers).is_some()),
            part => self.stored_body(plan, found, part).await?,
        };
        let now = clock::now();
        let ttl_left = found.expires_at.map(|at| (at - now).max(0.0));
        let seconds = plan.started.elapsed().as_secs_f64();
        if from == ServedFrom::Revalidated {
            tracing::debug!(service = %self.service, key = %plan.key, ttl_left, seconds, "revalidate");
        } else {
            let (age, stale) = (serve.age, u64::from(from == ServedFrom::Stale));
            if plan.is_counted() {
                self.count(Counts { hits: 1, stale, ..Counts::default() });
            }
            tracing::debug!(service = %self.service, key = %plan.key, ttl_left, age, stale, seconds, "hit");
        }
        if let Some(own) = own_ttl(&found.entry.request).filter(|_| plan.refreshes) {
            let id = std::slice::from_ref(&found.id);
            self.store(&plan.key).ask("touch", |store| async move { store.touch(id, Some(own)).await }).await;
        }
        if serve.refresh.is_some() {
            self.refresh_in_background(plan);
        }
        let served =
            Served { from, cache_key: plan.key.clone(), age: Some(serve.age), entry: Some(found.id.clone()), ttl_left };
        let head = Head::of_entry(Arc::clone(&found.entry), serve.response, is_decoded);
        Some(Fetched::new(status, head, served, body))
    }

    /// These bytes of a stored body, and whether its content coding is off them; `None`: it is gone.
    async fn stored_body(self: &Arc<Self>, plan: &Arc<Plan>, found: &Found, part: Part) -> Option<(Body, bool)> {
        let (start, rest) = match &found.body {
            Some(body) => (body.clone(), None),
            None => {
                let mut pieces = self.store(&plan.key).body(&found.id).await?;
                // Only now is it certain that there is a body to serve.
                (pieces.try_next().await.ok()?.unwrap_or_default(), Some(pieces.map_err(SendError::broken)))
            }
        };
        // The stored fields say how it was coded once.
        let name = coding(&found.entry.response.headers);
        let coding = name.and_then(Coding::of);
        let is_coded = coding.is_some_and(|coding| coding.is_on(&start));
        let is_belied = !plan.decodes && coding.is_some() && !is_coded && is_text(&start);
        if is_belied && matches!(part, Part::Range(..)) {
            // The part was chosen by a length that is not the body's.
            return None;
        }
        let is_decoded = plan.decodes && name.is_some() || is_belied;
        if let (Some(body), false) = (&found.body, is_coded && plan.decodes) {
            let body = match part {
                Part::Range(first, last) => {
                    let (first, end) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?.checked_add(1)?);
                    if first > end || end > body.len() {
                        return None;
                    }
                    body.slice(first..end)
                }
                _ => body.clone(),
            };
            if plan.is_counted() {
                self.count(Counts { bytes: body.len() as u64, ..Counts::default() });
            }
            return Some((body.into(), is_decoded));
        }
        let rest = stream::iter(rest).flatten();
        let mut pieces: Incoming = Box::pin(stream::iter([Ok(start)]).chain(rest));
        if let Some(coding) = coding.filter(|_| plan.decodes) {
            pieces = decoded(pieces, coding, decode::From::Store);
        }
        if !plan.is_again() {
            let again = Again { cache: Arc::clone(self), plan: Arc::clone(plan), entry: Arc::clone(&found.entry) };
            pieces = replayed(pieces, part, found.id.clone(), again);
        }
        Some((pieces.into(), is_decoded))
    }

    /// RFC 5861, 3: what was served stale is validated behind the caller's back.
    fn refresh_in_background(self: &Arc<Self>, plan: &Arc<Plan>) {
        let (cache, plan) = (Arc::clone(self), Arc::new(plan.in_background()));
        self.core.tasks.spawn(async move {
            // Where somebody is at it already, that will do.
            let Some(lead) = cache.core.flights.lead_if_free(&plan.flight()).await else { return };
            let stored = cache.look_up(&plan).await.unwrap_or_default();
            let Decision::Serve(Serve { refresh: Some(forward), .. }) =
                plan.policy.decide(&plan.request, &stored, clock::now())
            else {
                return lead.land(true).await;
            };
            if let Ok(fetched) = cache.forward(&plan, &stored, forward, Some(lead)).await {
                cache.read_on(fetched);
            }
        });
    }
}

/// RFC 9111, 5.2.1.7: only a stored response was wanted, and there is none.
pub(super) fn unsatisfiable(plan: &Plan) -> Fetched {
    let served = Served::by_origin(ServedFrom::Miss, plan.key.clone());
    Fetched::new(StatusCode::GATEWAY_TIMEOUT, HeaderMap::new().into(), served, Bytes::new().into())
}

/// Reads a body to its end for those who are at its other one.
pub(super) async fn read_to_end(body: Body) {
    let _ = body.try_for_each(|_| async { Ok(()) }).await;
}
