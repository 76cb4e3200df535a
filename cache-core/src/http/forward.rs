//! What the store cannot answer goes to the origin, and what comes back goes to the caller, the store, or both.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode};
use uuid::Uuid;

use crate::clock;
use crate::error::chain;
use crate::format::http_key;
use crate::http::body::Body;
use crate::http::cache::Inner;
use crate::http::cache_status::{Served, ServedFrom};
use crate::http::decode::{Coding, decoded};
use crate::http::error::FetchError;
use crate::http::plan::Plan;
use crate::http::recorder::{Order, Recording, passing};
use crate::http::response::{Fetched, without_coding};
use crate::http::{decode, header_map};
use crate::model::entry::{Entry, EntryId, Request, Response};
use crate::model::stats::Counts;
use crate::model::stored::StoredResponse;
use crate::policy::decision::{Decision, Exchange, Forward, Outcome, Reply, Storing};
use crate::policy::dispatch::Policy;
use crate::policy::vary::varies_by_credential;
use crate::runtime::single_flight::Lead;
use crate::transport::traits::{FinalUrl, Incoming};

/// The origin's answer.
pub(crate) struct Arrived {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Incoming,
    /// How many bytes the body has, where that is known.
    length: Option<u64>,
    /// The URL that answered, where redirects were followed.
    url: Option<String>,
}

impl Inner {
    /// Asks the origin.
    pub(crate) async fn send(&self, plan: &Plan, request: &Request) -> Result<Arrived, FetchError> {
        let (head, body) = self.sender.send(plan.to_origin(request)?).await?.into_parts();
        let mut fields = head.headers;
        let url = head.extensions.get::<FinalUrl>().map(|FinalUrl(url)| url.clone());
        let has_body = request.method != Method::HEAD.as_str()
            && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let announced = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
        let mut arrived = Arrived {
            status: head.status,
            length: if has_body { announced } else { Some(0) },
            body,
            fields: HeaderMap::new(),
            url,
        };
        let coding = fields.get(http::header::CONTENT_ENCODING).and_then(|name| Coding::of(name.to_str().ok()?));
        let is_part = head.status == StatusCode::PARTIAL_CONTENT;
        if let Some(coding) = coding.filter(|_| plan.decodes && has_body && !is_part) {
            // Before it is decoded: only there does the announced length say whether it was cut.
            arrived.body = decoded(passing(arrived.body, arrived.length, None), coding, decode::From::Origin);
            arrived.length = None;
            without_coding(&mut fields);
        }
        arrived.fields = fields;
        Ok(arrived)
    }

    /// Answers a request without asking the store or telling it.
    pub(crate) async fn bypass(&self, plan: &Plan) -> Result<Fetched, FetchError> {
        let arrived = self.send(plan, &plan.request).await?;
        Ok(arrived.into_fetched(plan, ServedFrom::Bypass, None).await)
    }

    /// Asks the origin and does what follows from its answer.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        stored: &[StoredResponse],
        forward: Forward,
        lead: Option<Lead>,
    ) -> Result<Fetched, FetchError> {
        let mut sent = forward.request;
        let requested_at = clock::now();
        let answer = self.send(plan, &sent).await;
        let now = clock::now();
        let arrived = match answer {
            Ok(arrived) => arrived,
            Err(error) => {
                let seconds = plan.started.elapsed().as_secs_f64();
                tracing::warn!(service = %self.service, key = %plan.key, seconds, error = chain(&error), "error");
                // The others try for themselves, all at once: one after the other they would wait for ever.
                land(lead, false).await;
                let exchange = Exchange { request: &plan.request, sent: &sent, stored, requested_at, now };
                let instead = match plan.policy.unreachable(exchange).filter(|_| self.may_stand_in(plan)) {
                    Some(serve) => self.serve(plan, stored, serve, ServedFrom::Stale).await,
                    None => None,
                };
                return instead.ok_or(error);
            }
        };
        if plan.decodes {
            sent.url = arrived.url.clone().map_or_else(|| plan.stored_url(), Ok)?;
        }
        let response = arrived.to_stored();
        let exchange = Exchange { request: &plan.request, sent: &sent, stored, requested_at, now };
        let outcome = plan.policy.receive(exchange, &response);
        self.change(plan, stored, &outcome).await;
        let fetched_in = now - requested_at;
        match outcome.reply {
            Reply::Origin(storing) => {
                self.missed(plan, Some(fetched_in));
                let recording = match storing.filter(|storing| self.is_worth_storing(plan, &sent, storing, &arrived)) {
                    Some(storing) => Some(self.record(plan, stored, storing, lead)),
                    None => {
                        land(lead, false).await;
                        None
                    }
                };
                Ok(arrived.into_fetched(plan, ServedFrom::Miss, recording).await)
            }
            Reply::Validated(serve) => {
                self.count(Counts { revalidations: 1, ..Counts::default() });
                if let Some(fetched) = self.serve(plan, stored, serve, ServedFrom::Revalidated).await {
                    land(lead, true).await;
                    return Ok(fetched);
                }
                // It is good, but its body is gone.
                self.forward_anew(plan, &[], lead).await
            }
            Reply::Mismatch => self.forward_anew(plan, &[], lead).await,
            Reply::InsteadOfError(serve) => {
                land(lead, false).await;
                if self.may_stand_in(plan)
                    && let Some(fetched) = self.serve(plan, stored, serve, ServedFrom::Stale).await
                {
                    return Ok(fetched);
                }
                self.missed(plan, Some(fetched_in));
                Ok(arrived.into_fetched(plan, ServedFrom::Miss, None).await)
            }
        }
    }

    /// Whether what is stored may stand in for an origin that has no answer: not where nobody waits for one.
    fn may_stand_in(&self, plan: &Plan) -> bool {
        self.serves() && plan.is_awaited()
    }

    /// Asks the origin as if nothing were stored: with nothing to validate. The answer may replace what is `stored`.
    pub(crate) async fn forward_anew(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        stored: &[StoredResponse],
        lead: Option<Lead>,
    ) -> Result<Fetched, FetchError> {
        match plan.policy.decide(&plan.request, &[], clock::now()) {
            Decision::Forward(forward) => Box::pin(self.forward(plan, stored, forward, lead)).await,
            _ => Ok(self.unsatisfiable(plan)),
        }
    }

    fn is_worth_storing(&self, plan: &Plan, sent: &Request, storing: &Storing, arrived: &Arrived) -> bool {
        // Credentials are not stored with what ignores the specification. Under a key that others share who do not
        // ignore it, they would take it for theirs.
        let is_exception = matches!(plan.policy, Policy::Ttl(_)) && !plan.decodes;
        let is_for_all = !is_exception || !varies_by_credential(&sent.headers, &storing.response.headers);
        is_for_all
            && !own_ttl(&storing.request).unwrap_or(storing.keep).is_zero()
            && arrived.length.is_none_or(|length| length <= self.core.largest_entry)
    }

    fn record(
        self: &Arc<Self>,
        plan: &Plan,
        stored: &[StoredResponse],
        storing: Storing,
        lead: Option<Lead>,
    ) -> Recording {
        let entry = Entry {
            id: Uuid::new_v4(),
            cache_key: plan.key.clone(),
            request: storing.request,
            response: storing.response,
            created_at: Some(storing.created_at),
            deleted_at: None,
        };
        let keep = own_ttl(&entry.request).unwrap_or(storing.keep);
        let order = Order {
            entry,
            keep,
            replaces: ids(stored, &storing.replaces),
            judge: plan.judge,
            started: plan.started,
            lead,
        };
        Recording::begin(self, order)
    }

    /// What an answer changes in the store besides what it adds: visible before the caller sees the answer.
    async fn change(&self, plan: &Plan, stored: &[StoredResponse], outcome: &Outcome) {
        let store = self.store(&plan.key);
        for update in &outcome.updates {
            let Some(found) = stored.get(update.index) else { continue };
            let entry = Entry {
                response: update.response.clone(),
                created_at: Some(update.created_at),
                ..Entry::clone(&found.entry)
            };
            // Nothing may be kept for no time at all, and somebody may be reading it.
            let keep = own_ttl(&entry.request).unwrap_or(update.keep).max(Duration::from_secs(1));
            store
                .ask("replace", |store| async move {
                    Ok(store.update_head(&found.id, &entry).await?
                        && store.expire(std::slice::from_ref(&found.id), Some(keep)).await? > 0)
                })
                .await;
        }
        let mut gone = ids(stored, &outcome.removals);
        for url in &outcome.invalidated {
            let key = http_key::hishel1_key(url.as_bytes());
            let found = store.ask("lookup", |store| async move { store.lookup(&key, None).await }).await;
            gone.extend(found.into_iter().flatten().map(|found| found.id));
        }
        if !gone.is_empty() {
            store.ask("remove", |store| async move { store.remove(&gone).await }).await;
        }
    }
}

impl Arrived {
    fn to_stored(&self) -> Response {
        let headers = header_map::stored(&self.fields);
        Response { status_code: self.status.as_u16(), headers, ..Response::default() }
    }

    async fn into_fetched(self, plan: &Plan, from: ServedFrom, recording: Option<Recording>) -> Fetched {
        let body = if self.length == Some(0) {
            // Nobody need read what is empty for it to be stored.
            if let Some(recording) = recording {
                recording.end().await;
            }
            Body::from(Bytes::new())
        } else {
            let is_recorded = recording.is_some();
            Body::passing(passing(self.body, self.length, recording), is_recorded)
        };
        Fetched::new(self.status, self.fields.into(), Served::by_origin(from, plan.key.clone()), body)
    }
}

/// How long a response is to be stored by its request's own wish.
pub(crate) fn own_ttl(request: &Request) -> Option<Duration> {
    Duration::try_from_secs_f64(request.extra.ttl()?).ok()
}

async fn land(lead: Option<Lead>, is_storable: bool) {
    if let Some(lead) = lead {
        lead.land(is_storable).await;
    }
}

fn ids(stored: &[StoredResponse], indexes: &[usize]) -> Vec<EntryId> {
    indexes.iter().filter_map(|index| Some(stored.get(*index)?.id.clone())).collect()
}
