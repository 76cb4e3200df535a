//! Serving stored responses, including background revalidation.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;

use crate::clock;
use crate::format::content_coding::{ContentCoding, decode_body, is_text};
use crate::http::body::Body;
use crate::http::cache_status::{CacheOutcome, CacheStatus};
use crate::http::context::{Context, own_ttl};
use crate::http::decode;
use crate::http::decode::decoded;
use crate::http::plan::RequestPlan;
use crate::http::response::{CachedResponse, Head, coding};
use crate::http::resumable_body::{Recovery, Refetch, resumable};
use crate::model::entry::Response;
use crate::model::stats::Counters;
use crate::model::stored::StoredResponse;
use crate::policy::decision::{BodyRange, ServeStored};
use crate::transport::error::TransportError;
use crate::transport::traits::BodyStream;

/// A stored response, as served.
pub(crate) struct ServedResponse {
    pub(crate) response: CachedResponse,
    /// A background request, to be started by the caller (RFC 5861, 3: `stale-while-revalidate`).
    pub(crate) revalidate: Option<RequestPlan>,
}

/// Serves a stored response; `None`: its body is lost.
pub(crate) async fn serve(
    context: &Arc<Context>,
    plan: &RequestPlan,
    stored: &[StoredResponse],
    serve: ServeStored,
    from: CacheOutcome,
    refetch: &Arc<dyn Refetch>,
) -> Option<ServedResponse> {
    let found = stored.get(serve.index)?;
    let response = serve.response.as_ref().unwrap_or(&found.entry.response);
    let status = StatusCode::from_u16(response.status_code).ok()?;
    let (body, is_decoded) = match serve.body {
        BodyRange::None => {
            let coding = coding(&found.entry.response.headers).and_then(ContentCoding::from_header);
            (Body::from(Bytes::new()), plan.decodes && coding.is_some())
        }
        part => match &found.body {
            Some(body) => body_in_memory(context, plan, found, body, part)?,
            // Boxed, since most responses do not need this future.
            None => Box::pin(streamed_body(context, plan, found, part, serve.response.as_ref(), refetch)).await?,
        },
    };
    let ttl_left = found.expires_at.map(|at| (at - clock::now()).max(0.0));
    record(context, plan, from, serve.age, ttl_left);
    if let Some(own) = own_ttl(&found.entry.request).filter(|_| plan.refreshes) {
        let id = std::slice::from_ref(&found.id);
        context.store(&plan.key).call("touch", |store| async move { store.expire(id, Some(own)).await }).await;
    }
    let revalidate = serve.refresh.is_some().then(|| plan.for_revalidation());
    let served = CacheStatus {
        from,
        cache_key: plan.key.clone(),
        age: Some(serve.age),
        entry: Some(found.id.clone()),
        ttl_left,
    };
    let head = Head::from_entry(Arc::clone(&found.entry), serve.response, is_decoded);
    Some(ServedResponse { response: CachedResponse::new(status, head, served, body), revalidate })
}

/// Counts and logs a hit, or logs a revalidation, which was counted when the origin answered.
fn record(context: &Context, plan: &RequestPlan, from: CacheOutcome, age: f64, ttl_left: Option<f64>) {
    let seconds = plan.started.elapsed().as_secs_f64();
    if from == CacheOutcome::Revalidated {
        tracing::debug!(service = %context.service, key = %plan.key, ttl_left, seconds, "revalidate");
        return;
    }
    let stale = u64::from(from == CacheOutcome::Stale);
    if plan.is_counted() {
        context.count(Counters { hits: 1, stale, ..Counters::default() });
    }
    tracing::debug!(service = %context.service, key = %plan.key, ttl_left, age, stale, seconds, "hit");
}

/// A part of a body that came with the lookup, and whether its content coding is undone. `None`: there is no such part,
/// or the coding cannot be undone.
fn body_in_memory(
    context: &Context,
    plan: &RequestPlan,
    found: &StoredResponse,
    body: &Bytes,
    part: BodyRange,
) -> Option<(Body, bool)> {
    let coding = BodyCoding::new(plan, found, body, true);
    let body = match part {
        _ if plan.decodes && coding.declared.is_some_and(|declared| declared.is_encoded(body)) => {
            match decode_body(body, coding.header) {
                Cow::Borrowed(_) => return None,
                Cow::Owned(decoded) => decoded.into(),
            }
        }
        // The range was chosen by a length that is not the length of the body.
        BodyRange::Range(..) if coding.is_contradicted => return None,
        BodyRange::Range(first, last) => {
            let (first, end) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?.checked_add(1)?);
            if first > end || end > body.len() {
                return None;
            }
            body.slice(first..end)
        }
        _ => body.clone(),
    };
    if plan.is_counted() {
        context.count(Counters { bytes: body.len() as u64, ..Counters::default() });
    }
    Some((body.into(), coding.is_decoded))
}

/// As [`body_in_memory`], for a body that is read from the store while it is served; `None`: it is lost.
/// `validated`: the head of the response, if it is newer than the stored one.
async fn streamed_body(
    context: &Arc<Context>,
    plan: &RequestPlan,
    found: &StoredResponse,
    part: BodyRange,
    validated: Option<&Response>,
    refetch: &Arc<dyn Refetch>,
) -> Option<(Body, bool)> {
    let mut chunks = context.store(&plan.key).body(&found.id).await?;
    // Only the first chunk proves that there is a body.
    let (start, is_whole) = decode::start(&mut chunks).await.ok()?;
    let coding = BodyCoding::new(plan, found, &start, is_whole);
    let is_range = matches!(part, BodyRange::Range(..));
    if is_range && coding.is_contradicted {
        return None;
    }
    let mut chunks: BodyStream = Box::pin(stream::iter([Ok(start)]).chain(chunks.map_err(TransportError::broken)));
    if let Some(declared) = coding.declared.filter(|_| plan.decodes) {
        chunks = decoded(chunks, declared, decode::BodySource::Store);
    }
    if !plan.is_refetch() {
        let head = validated.filter(|_| !is_range).unwrap_or(&found.entry.response).clone();
        let recovery = Recovery { context: Arc::clone(context), head, refetch: Arc::clone(refetch) };
        chunks = resumable(chunks, part, found.id.clone(), recovery);
    }
    Some((chunks.into(), coding.is_decoded))
}

/// The content coding that the stored header declares, and whether the bytes still have it.
struct BodyCoding<'a> {
    header: Option<&'a str>,
    declared: Option<ContentCoding>,
    /// The body is served as stored, without the declared coding: the pipeline stores decoded bodies.
    is_contradicted: bool,
    /// The body is served without the coding.
    is_decoded: bool,
}

impl<'a> BodyCoding<'a> {
    /// `start`: the first bytes of the body, or all of them.
    fn new(plan: &RequestPlan, found: &'a StoredResponse, start: &[u8], is_whole: bool) -> Self {
        let headers = &found.entry.response.headers;
        let header = coding(headers);
        let declared = header.and_then(ContentCoding::from_header);
        let length = headers.get("content-length").and_then(|length| length.parse().ok());
        let has_declared_length = is_whole && length == Some(start.len());
        let is_contradicted =
            !plan.decodes && declared.is_some_and(|coding| coding.contradicts_header(start, has_declared_length));
        // The pipeline's client may have decoded a coding that is unknown here.
        let is_undone = declared.is_some() || header.is_some() && is_text(start);
        Self { header, declared, is_contradicted, is_decoded: plan.decodes && is_undone || is_contradicted }
    }
}
