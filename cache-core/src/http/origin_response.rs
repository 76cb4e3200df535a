//! [`OriginResponse`]: a request to the origin and its response, on its way to the caller, the store and those that wait.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use crate::clock;
use crate::format::content_coding::ContentCoding;
use crate::format::http_date;
use crate::http::body::Body;
use crate::http::cache_status::{CacheOutcome, CacheStatus};
use crate::http::context::Context;
use crate::http::decode::decoded;
use crate::http::error::FetchError;
use crate::http::plan::RequestPlan;
use crate::http::recorder::{BodyRecorder, tee};
use crate::http::response::{CachedResponse, without_coding};
use crate::http::{decode, header_map};
use crate::model::entry::{Request, Response};
use crate::model::key::CacheKey;
use crate::runtime::shared_answer::SharedAnswer;
use crate::runtime::single_flight::Leader;
use crate::transport::traits::{BodyStream, FinalUrl};

/// The largest body that is handed to the callers that waited for a response that is not stored; bytes.
const MAX_SHARED: usize = 1 << 20;

/// How long such a body may take.
const SHARED_TIMEOUT: Duration = Duration::from_secs(2);

/// The origin's response.
pub(crate) struct OriginResponse {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: BodyStream,
    /// The length of the body, if it is known.
    pub(crate) length: Option<u64>,
    /// The URL of the response, if redirects were followed.
    pub(crate) url: Option<String>,
}

/// Sends a request to the origin, and invalidates what its response outdates: every request passes here.
pub(crate) async fn send(
    context: &Context,
    plan: &RequestPlan,
    request: &Request,
) -> Result<OriginResponse, FetchError> {
    let (head, body) = context.sender.send(plan.to_origin(request)?).await?.into_parts();
    let mut fields = head.headers;
    let url = head.extensions.get::<FinalUrl>().map(|FinalUrl(url)| url.clone());
    let has_body = request.method != Method::HEAD.as_str()
        && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let declared = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
    let mut response = OriginResponse {
        status: head.status,
        length: if has_body { declared } else { Some(0) },
        body,
        fields: HeaderMap::new(),
        url,
    };
    let coding = fields.get(CONTENT_ENCODING).and_then(|name| ContentCoding::from_header(name.to_str().ok()?));
    let is_part = head.status == StatusCode::PARTIAL_CONTENT;
    if let Some(coding) = coding.filter(|_| plan.decodes && has_body && !is_part) {
        // The declared length is the one of the encoded body: a truncation shows before decoding only.
        response.body = decoded(tee(response.body, response.length, None), coding, decode::BodySource::Origin);
        response.length = None;
        without_coding(&mut fields);
    }
    response.fields = fields;
    if context.core.is_enabled {
        let keys = plan.invalidated_keys(&response.to_stored())?;
        invalidate(context, plan, keys).await;
    }
    Ok(response)
}

/// Removes what an unsafe request outdates (RFC 9111, 4.4), before the caller sees the response or anything is stored:
/// the response to a POST may answer a later GET of the same URL.
async fn invalidate(context: &Context, plan: &RequestPlan, keys: Vec<CacheKey>) {
    for key in keys {
        context.core.removals.invalidate(context.store(&plan.key), key).await;
    }
}

impl OriginResponse {
    /// Hands the response to the callers that waited for it, if it is short and is not of one user.
    pub(crate) async fn shared(mut self, leader: Leader, sent: &Request) -> Self {
        let repeated_for = self.retry_after();
        let is_for_all = !self.fields.contains_key(SET_COOKIE) && (leader.has_waiters() || repeated_for.is_some());
        if !is_for_all || self.length.is_some_and(|length| length > MAX_SHARED as u64) {
            leader.complete(false).await;
            return self;
        }
        let response = self.to_stored();
        let gathered = gather(tee(self.body, self.length, None)).await;
        match gathered {
            Ok(body) => {
                let fields = self.fields.clone();
                let answer = SharedAnswer::Response { request: sent.clone(), response, fields, body: body.clone() };
                leader.answer(answer, repeated_for).await;
                self.length = Some(body.len() as u64);
                self.body = Box::pin(stream::iter([Ok(body)]));
            }
            Err(rest) => {
                leader.complete(false).await;
                (self.body, self.length) = (rest, None);
            }
        }
        self
    }

    /// For how long the origin wants no other request.
    fn retry_after(&self) -> Option<Duration> {
        if !matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return None;
        }
        let value = self.fields.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let seconds = value.parse::<u32>().map(f64::from).ok();
        let seconds = seconds.or_else(|| Some(http_date::parse(value)? - clock::now()))?;
        // A retry after the `Retry-After` time must reach the origin.
        Duration::try_from_secs_f64(seconds * 0.9).ok().filter(|time| !time.is_zero())
    }

    pub(crate) fn to_stored(&self) -> Response {
        let headers = header_map::to_stored_headers(&self.fields);
        Response { status_code: self.status.as_u16(), headers, ..Response::default() }
    }

    pub(crate) async fn into_cached_response(
        self,
        plan: &RequestPlan,
        from: CacheOutcome,
        recording: Option<BodyRecorder>,
    ) -> CachedResponse {
        let body = if self.length == Some(0) {
            // An empty body is stored even if the caller does not read it.
            if let Some(recording) = recording {
                recording.end().await;
            }
            Body::from(Bytes::new())
        } else {
            let is_recorded = recording.is_some();
            Body::tee(tee(self.body, self.length, recording), is_recorded)
        };
        CachedResponse::new(self.status, self.fields.into(), CacheStatus::by_origin(from, plan.key.clone()), body)
    }
}

/// A short body; or else the stream of it.
async fn gather(mut body: BodyStream) -> Result<Bytes, BodyStream> {
    let deadline = tokio::time::Instant::now() + SHARED_TIMEOUT;
    let mut parts = Vec::new();
    let mut length = 0;
    while length <= MAX_SHARED {
        match tokio::time::timeout_at(deadline, body.next()).await {
            Ok(Some(Ok(part))) => {
                length += part.len();
                parts.push(part);
            }
            Ok(None) => return Ok(parts.concat().into()),
            Ok(Some(Err(error))) => {
                return Err(Box::pin(stream::iter(parts.into_iter().map(Ok).chain([Err(error)]))));
            }
            Err(_) => break,
        }
    }
    Err(Box::pin(stream::iter(parts.into_iter().map(Ok)).chain(body)))
}
