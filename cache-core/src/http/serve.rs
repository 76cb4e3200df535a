//! What the store has on its way to the caller, and what is done about it behind his back.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;

use crate::clock;
use crate::format::content_coding;
use crate::http::body::Body;
use crate::http::cache::Inner;
use crate::http::cache_status::{Served, ServedFrom};
use crate::http::decode;
use crate::http::decode::{Coding, decoded, is_text};
use crate::http::forward::own_ttl;
use crate::http::plan::Plan;
use crate::http::response::{Fetched, Head, coding};
use crate::http::resumable_body::{Again, replayed};
use crate::model::entry::{EntryId, Response};
use crate::model::stats::Counts;
use crate::model::stored::StoredResponse;
use crate::policy::decision::{Decision, Part, Serve};
use crate::transport::error::SendError;
use crate::transport::traits::Incoming;

impl Inner {
    /// Answers with a stored response; `None`: its body is gone.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        stored: &[StoredResponse],
        serve: Serve,
        from: ServedFrom,
    ) -> Option<Fetched> {
        let found = stored.get(serve.index)?;
        let response = serve.response.as_ref().unwrap_or(&found.entry.response);
        let status = StatusCode::from_u16(response.status_code).ok()?;
        let (body, is_decoded) = match serve.body {
            Part::None => {
                let coding = coding(&found.entry.response.headers).and_then(Coding::of);
                (Body::from(Bytes::new()), plan.decodes && coding.is_some())
            }
            part => match &found.body {
                Some(body) => self.body_at_hand(plan, found, body, part)?,
                // On the heap: most answers need no room for this.
                None => Box::pin(self.body_in_pieces(plan, found, part, serve.response.as_ref())).await?,
            },
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
            self.store(&plan.key).ask("touch", |store| async move { store.expire(id, Some(own)).await }).await;
        }
        if serve.refresh.is_some() {
            self.refresh_in_background(plan);
        }
        let served =
            Served { from, cache_key: plan.key.clone(), age: Some(serve.age), entry: Some(found.id.clone()), ttl_left };
        let head = Head::of_entry(Arc::clone(&found.entry), serve.response, is_decoded);
        Some(Fetched::new(status, head, served, body))
    }

    /// These bytes of a stored body that is at hand, and whether its content coding is off them; `None`: there are no
    /// such bytes, or its coding cannot be undone.
    fn body_at_hand(&self, plan: &Plan, found: &StoredResponse, body: &Bytes, part: Part) -> Option<(Body, bool)> {
        let told = Told::of(plan, found, body, true);
        let body = match part {
            _ if plan.decodes && told.coding.is_some_and(|coding| coding.is_on(body)) => {
                match content_coding::decoded(body, told.name) {
                    Cow::Borrowed(_) => return None,
                    Cow::Owned(decoded) => decoded.into(),
                }
            }
            // The part was chosen by a length that is not the body's.
            Part::Range(..) if told.is_false => return None,
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
        Some((body.into(), told.is_decoded))
    }

    /// As [`Self::body_at_hand`], for one that is read from the store while it is served; `None`: it is gone.
    /// `validated`: its head, where that is a newer one than is stored with it.
    async fn body_in_pieces(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        found: &StoredResponse,
        part: Part,
        validated: Option<&Response>,
    ) -> Option<(Body, bool)> {
        let mut pieces = self.store(&plan.key).body(&found.id).await?;
        // Only now is it certain that there is a body to serve.
        let (start, is_whole) = decode::start(&mut pieces).await.ok()?;
        let told = Told::of(plan, found, &start, is_whole);
        let is_range = matches!(part, Part::Range(..));
        if is_range && told.is_false {
            return None;
        }
        let mut pieces: Incoming = Box::pin(stream::iter([Ok(start)]).chain(pieces.map_err(SendError::broken)));
        if let Some(coding) = told.coding.filter(|_| plan.decodes) {
            pieces = decoded(pieces, coding, decode::From::Store);
        }
        if !plan.is_again() {
            let head = validated.filter(|_| !is_range).unwrap_or(&found.entry.response).clone();
            let again = Again { cache: Arc::clone(self), plan: Arc::clone(plan), head };
            pieces = replayed(pieces, part, found.id.clone(), again);
        }
        Some((pieces.into(), told.is_decoded))
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
                cache.read_on(fetched.into_body());
            }
        });
    }

    /// The whole of a response again whose body was lost, in the store under all of these ids: one request for all who
    /// were reading it.
    pub(crate) async fn answer_again(
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
        self.read_on(fetched.into_body());
        Err(SendError::broken("the stored body was lost, and another response has come in its place"))
    }

    /// Reads an answer of the origin to its end, so that it is stored, though its caller has no use for it: else the
    /// next of those who wait for it would ask again. One that gets too long to be stored is left.
    pub(crate) fn read_on(&self, mut body: Body) {
        if body.is_recorded() {
            let largest = self.core.largest_entry;
            self.core.tasks.spawn(async move {
                let mut read = 0;
                while read <= largest
                    && let Some(Ok(piece)) = body.next().await
                {
                    read += piece.len() as u64;
                }
            });
        }
    }
}

/// What the stored fields tell of how a body was coded once, and whether that is so.
struct Told<'a> {
    name: Option<&'a str>,
    coding: Option<Coding>,
    /// It is served as it is stored, and is not coded as they say: the pipeline stores its bodies decoded.
    is_false: bool,
    /// The coding is off what is served.
    is_decoded: bool,
}

impl<'a> Told<'a> {
    /// `start`: the first bytes of the body, or all of them.
    fn of(plan: &Plan, found: &'a StoredResponse, start: &[u8], is_whole: bool) -> Self {
        let headers = &found.entry.response.headers;
        let name = coding(headers);
        let coding = name.and_then(Coding::of);
        let length = headers.get("content-length").and_then(|length| length.parse().ok());
        let has_its_length = is_whole && length == Some(start.len());
        let is_false = !plan.decodes && coding.is_some_and(|coding| coding.is_belied(start, has_its_length));
        // The pipeline's client may know more codings than we do.
        let is_off = coding.is_some() || name.is_some() && is_text(start);
        Self { name, coding, is_false, is_decoded: plan.decodes && is_off || is_false }
    }
}
