//! A request's way through the cache: look up, decide, wait for others, serve or forward.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::clock;
use crate::error::chain;
use crate::format::content_coding;
use crate::http::cache_status::{Served, ServedFrom};
use crate::http::error::FetchError;
use crate::http::plan::Plan;
use crate::http::request::{Asked, Judge, RequestBody};
use crate::http::response::{Fetched, coding};
use crate::model::key::CacheKey;
use crate::model::service::ServiceName;
use crate::model::stats::{Cells, Counts};
use crate::model::stored::{Found, whole};
use crate::policy::decision::Decision;
use crate::policy::dispatch::Policy;
use crate::runtime::guarded_store::Graceful;
use crate::runtime::shared::{Core, Hold, Usage};
use crate::runtime::single_flight::{Lead, Turn, Waiting};
use crate::transport::traits::Sender;

/// The HTTP cache of one service: a policy, a store, and a sender for what they cannot answer. Clones share everything.
#[derive(Clone)]
pub struct HttpCache {
    inner: Arc<Inner>,
    /// Tasks of the cache hold [`Inner`] alone, so that they do not keep it alive.
    hold: Hold,
}

pub(crate) struct Inner {
    pub(crate) core: Arc<Core>,
    pub(crate) service: ServiceName,
    /// The TTL of the service.
    ttl: Duration,
    cells: Arc<Cells>,
    pub(crate) policy: Policy,
    pub(crate) sender: Arc<dyn Sender>,
    usage: Usage,
}

impl HttpCache {
    pub(crate) fn new(hold: Hold, service: ServiceName, sender: Arc<dyn Sender>) -> Self {
        let core = Arc::clone(&hold);
        let profile = core.services.get(service);
        let (policy, ttl) = (Policy::for_profile(profile), profile.ttl);
        let cells = core.counters.cells(service);
        let inner = Inner { core, service, ttl, cells, policy, sender, usage: Usage::Full };
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
        let Inner { core, service, ttl, cells, policy, sender, .. } = &*self.inner;
        let inner = Inner {
            core: Arc::clone(core),
            service: *service,
            ttl: *ttl,
            cells: Arc::clone(cells),
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

    pub(crate) async fn answer(&self, asked: Asked) -> Result<Fetched, FetchError> {
        let inner = &self.inner;
        let is_enabled = inner.core.is_enabled && inner.usage != Usage::Bypassed;
        let plan = Arc::new(Plan::new(asked, &inner.policy, inner.ttl, is_enabled)?);
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
    pub(crate) fn count(&self, happened: Counts) {
        self.core.counters.add(&self.cells, &happened);
    }

    /// The store, whose failures are told, and counted, as those of this service and key.
    pub(crate) fn store(&self, key: &CacheKey) -> Graceful {
        let (service, key) = (self.service, key.clone());
        let (counters, cells) = (Arc::clone(&self.core.counters), Arc::clone(&self.cells));
        self.core.store.telling(move |operation, time, error| {
            let seconds = time.as_secs_f64();
            tracing::warn!(%service, %key, operation, seconds, error = chain(error), "error");
            counters.add(&cells, &Counts { errors: 1, ..Counts::default() });
        })
    }

    pub(crate) async fn answer(self: &Arc<Self>, plan: &Arc<Plan>) -> Result<Fetched, FetchError> {
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
                Decision::Unsatisfiable => return Ok(self.unsatisfiable(plan)),
                Decision::Forward(forward) => {
                    // Without a store there is nothing that others could wait for.
                    let may_wait = is_answering && lead.is_none() && waiting.may_go_on(stored.is_empty());
                    if !forward.can_be_shared || !may_wait {
                        return self.forward(plan, &stored, forward, lead).await;
                    }
                    let had_waited = waiting.has_waited();
                    let turn = self.core.flights.board(&plan.flight(), &mut waiting).await;
                    let waits = u64::from(waiting.has_waited() && !had_waited);
                    if plan.is_counted() {
                        self.count(Counts { waits, ..Counts::default() });
                    }
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

    /// Whether what is stored may answer.
    pub(crate) fn serves(&self) -> bool {
        self.usage == Usage::Full
    }

    /// What is stored under the key and may answer; `None` where the store does not say.
    pub(crate) async fn look_up(&self, plan: &Plan) -> Option<Vec<Found>> {
        let started = Instant::now();
        let (key, refresh) = (&plan.key, plan.refresh().filter(|_| self.serves()));
        let found = self.store(key).ask("lookup", |store| async move { store.lookup(key, refresh).await }).await;
        let lookup_micros = started.elapsed().as_micros() as u64;
        if plan.is_counted() {
            self.count(Counts { lookup_micros, ..Counts::default() });
        }
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
            if judge(&content_coding::decoded(body, coding(&found.entry.response.headers))) {
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

    /// It was not stored, or could not answer.
    pub(crate) fn missed(&self, plan: &Plan, fetched_in: Option<f64>) {
        if plan.is_counted() {
            self.count(Counts { misses: 1, ..Counts::default() });
        }
        let seconds = plan.started.elapsed().as_secs_f64();
        tracing::debug!(service = %self.service, key = %plan.key, seconds, fetched_in, "miss");
    }

    /// RFC 9111, 5.2.1.7: only a stored response was wanted, and there is none.
    pub(crate) fn unsatisfiable(&self, plan: &Plan) -> Fetched {
        self.missed(plan, None);
        let served = Served::by_origin(ServedFrom::Miss, plan.key.clone());
        Fetched::new(StatusCode::GATEWAY_TIMEOUT, HeaderMap::new().into(), served, Bytes::new().into())
    }
}
