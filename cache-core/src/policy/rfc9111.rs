//! RFC 9111: the decisions for requests and responses. The rules are in the submodules of [`crate::policy`].

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::model::entry::{Request, Response};
use crate::model::stored::StoredResponse;
use crate::policy::conditional::{has_validator, is_conditional};
use crate::policy::decision::{Decision, Exchange, Forward, Outcome, Reply, ServeStored, StoreAction, Update};
use crate::policy::directives::{RequestDirectives, ResponseDirectives};
use crate::policy::freshness::freshness_for_cache;
use crate::policy::reuse::{Reuse, SelectedResponse, candidates, matching_vary};
use crate::policy::{conditional, response, storable, update};

/// RFC 9111, with conditional requests (RFC 9110) and stale responses (RFC 5861).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rfc9111 {
    /// Whether the cache is shared by several users: `private` responses and responses to requests with credentials are
    /// then not stored.
    pub is_shared: bool,
    /// Whether a shared cache stores `Set-Cookie` although the response is neither `public` nor has `s-maxage` (RFC 9111,
    /// 7.3, leaves it to the origin): all users then get the cookie of one.
    pub stores_set_cookie: bool,
}

/// The maximum number of entity tags sent to the origin.
const MAX_NOMINATED: usize = 8;

impl Rfc9111 {
    pub(crate) fn decide(&self, request: &Request, stored: &[StoredResponse], now: f64) -> Decision {
        let wanted = RequestDirectives::from_headers(&request.headers);
        if let Some(selected) = self.select(request, stored, now)
            && let Some(reuse) = selected.reuse(&wanted)
        {
            return Decision::ServeStored(ServeStored {
                is_stale: reuse != Reuse::Fresh,
                refresh: (reuse == Reuse::StaleWhileRevalidate && request.method == "GET")
                    .then(|| self.forward(&conditional::unconditional(request), stored)),
                ..serve(request, &selected)
            });
        }
        if wanted.only_if_cached { Decision::Unsatisfiable } else { Decision::Forward(self.forward(request, stored)) }
    }

    pub(crate) fn receive(&self, exchange: Exchange<'_>, response: &Response) -> Outcome {
        let Exchange { request, stored, now, .. } = exchange;
        match response.status_code {
            304 => return self.validated(exchange, response),
            // RFC 5861, 4.
            500 | 502 | 503 | 504 => {
                let wanted = RequestDirectives::from_headers(&request.headers);
                let selected = self.select(request, stored, now).filter(|stored| stored.may_replace_error(&wanted));
                if let Some(selected) = selected {
                    let reply = Reply::InsteadOfError(ServeStored { is_stale: true, ..serve(request, &selected) });
                    return Outcome { reply, ..Outcome::pass() };
                }
            }
            200 if request.method == "HEAD" => return self.head(exchange, response),
            _ => {}
        }
        let storing = self.store_action(exchange, response);
        // RFC 9111, 4.3.3: a full response to a conditional request outdates the selected stored response. Other
        // variants stay valid although their validators were sent as well.
        let is_whole = storable::describes_resource(response.status_code) && response.status_code < 500;
        let is_outdated = storing.is_none() && is_whole && is_validated(request);
        let outdated = matching_vary(request, stored)
            .filter(|(_, found)| is_outdated && has_validator(&found.entry.response.headers))
            .map(|(index, _)| index);
        Outcome { reply: Reply::Origin(storing), updates: Vec::new(), removals: outdated.collect() }
    }

    pub(crate) fn unreachable(&self, exchange: Exchange<'_>) -> Option<ServeStored> {
        let wanted = RequestDirectives::from_headers(&exchange.request.headers);
        let selected = self.select(exchange.request, exchange.stored, exchange.now)?;
        let is_stale = !selected.is_fresh();
        selected.may_serve_on_error(&wanted).then(|| ServeStored { is_stale, ..serve(exchange.request, &selected) })
    }

    /// The stored response that the request selects, if a cache may answer the request.
    fn select<'a>(&self, request: &Request, stored: &'a [StoredResponse], now: f64) -> Option<SelectedResponse<'a>> {
        let is_answerable =
            matches!(request.method.as_str(), "GET" | "HEAD") && !conditional::is_for_origin(&request.headers);
        if is_answerable { SelectedResponse::new(request, stored, now, self.is_shared) } else { None }
    }

    fn forward(&self, request: &Request, stored: &[StoredResponse]) -> Forward {
        let nominated: Vec<&Response> =
            nominated(request, stored).into_iter().map(|index| &stored[index].entry.response).collect();
        let wanted = RequestDirectives::from_headers(&request.headers);
        let has = |name| request.headers.get(name).is_some();
        Forward {
            request: conditional::make_conditional_request(request, &nominated),
            can_be_shared: request.method == "GET"
                && !(wanted.no_store || wanted.no_cache)
                && !(has("range") || is_conditional(&request.headers) || conditional::is_for_origin(&request.headers))
                && !(self.is_shared && has("authorization")),
        }
    }

    /// What to store of a response, if anything.
    fn store_action(&self, exchange: Exchange<'_>, response: &Response) -> Option<StoreAction> {
        let Exchange { request, stored, requested_at, now, .. } = exchange;
        let directives = ResponseDirectives::from_view(&response.headers);
        if !storable::is_storable(request, response, &directives, self.is_shared)
            || self.omits_set_cookie(&directives) && storable::is_session(response, &directives)
        {
            return None;
        }
        let mut headers = storable::fields(&response.headers, &directives, self.is_shared);
        if self.omits_set_cookie(&directives) {
            headers.set("set-cookie", None);
        }
        if headers.get("date").is_none() {
            update::set_date(&mut headers, now);
        }
        let response = Response { headers, ..response.clone() };
        let (created_at, retention) = (requested_at, self.retention(&response, requested_at)?);
        Some(StoreAction {
            request: storable::request(request, &response.headers),
            replaces: matching_vary(request, stored).map(|(index, _)| index).collect(),
            response,
            created_at,
            retention,
        })
    }

    /// Whether the cookies of a response are not stored: they are of one user.
    fn omits_set_cookie(&self, directives: &ResponseDirectives<'_>) -> bool {
        self.is_shared && !self.stores_set_cookie && !directives.public && directives.s_maxage.is_none()
    }

    fn retention(&self, response: &Response, created_at: f64) -> Option<Duration> {
        let directives = ResponseDirectives::from_view(&response.headers);
        let (status, headers) = (response.status_code, &response.headers);
        let freshness = freshness_for_cache(status, headers, &directives, Some(created_at), self.is_shared);
        storable::retention(headers, &directives, &freshness, self.is_shared)
    }

    fn update(&self, exchange: Exchange<'_>, index: usize, new: &Response) -> Update {
        let stored = &exchange.stored[index].entry.response;
        let mut response = update::refresh_response_headers(stored, &new.headers, exchange.now, self.is_shared);
        let omits_set_cookie = self.omits_set_cookie(&ResponseDirectives::from_view(&response.headers));
        if omits_set_cookie {
            response.headers.set("set-cookie", None);
        }
        let created_at = exchange.requested_at;
        Update { index, retention: self.retention(&response, created_at).unwrap_or_default(), response, created_at }
    }

    /// RFC 9111, 4.3.3 and 4.3.4: the origin sent a 304.
    fn validated(&self, exchange: Exchange<'_>, not_modified: &Response) -> Outcome {
        let Exchange { request, sent, stored, .. } = exchange;
        let nominated = nominated(request, stored);
        let responses: Vec<&Response> = nominated.iter().map(|index| &stored[*index].entry.response).collect();
        let identified = conditional::identified_by(&sent.headers, &not_modified.headers, &responses);
        let updates: Vec<Update> =
            identified.into_iter().map(|place| self.update(exchange, nominated[place], not_modified)).collect();
        let Some(first) = updates.first() else {
            let is_for_the_caller = responses.iter().all(|stored| !has_validator(&stored.headers))
                || conditional::is_requested(&request.headers, &not_modified.headers);
            let reply = if is_for_the_caller { Reply::Origin(None) } else { Reply::Mismatch };
            return Outcome { reply, ..Outcome::pass() };
        };
        let length = body_length(&stored[first.index]);
        let (response, body) =
            response::stored_response(request, first.response.clone(), length, Some(first.created_at));
        let age = (exchange.now - first.created_at).max(0.0);
        let serve =
            ServeStored { index: first.index, response: Some(response), body, age, is_stale: false, refresh: None };
        Outcome { reply: Reply::Validated(serve), updates, ..Outcome::pass() }
    }

    /// RFC 9111, 4.3.5: the response to a HEAD updates or outdates stored responses.
    fn head(&self, exchange: Exchange<'_>, response: &Response) -> Outcome {
        let (same, other): (Vec<usize>, Vec<usize>) = matching_vary(exchange.request, exchange.stored)
            .map(|(index, _)| index)
            .partition(|index| update::is_of_same_representation(&exchange.stored[*index].entry.response, response));
        let updates = same.into_iter().map(|index| self.update(exchange, index, response)).collect();
        Outcome { updates, removals: other, ..Outcome::pass() }
    }
}

/// Whether validators of stored responses may be added to a request.
fn is_validated(request: &Request) -> bool {
    request.method == "GET" && !conditional::is_for_origin(&request.headers)
}

/// The stored responses to validate at the origin (RFC 9111, 4.3.1): those that the request selects, or else all
/// variants, since the response may be one of them.
fn nominated(request: &Request, stored: &[StoredResponse]) -> Vec<usize> {
    if !is_validated(request) {
        return Vec::new();
    }
    let has_tag = |index: &usize| stored[*index].entry.response.headers.get("etag").is_some();
    let selected: Vec<usize> = matching_vary(request, stored).map(|(index, _)| index).collect();
    let all = if selected.is_empty() { candidates(stored).map(|(index, _)| index).collect() } else { selected.clone() };
    let mut tagged: Vec<usize> = all.into_iter().filter(has_tag).collect();
    tagged.truncate(MAX_NOMINATED);
    if tagged.is_empty() { selected.into_iter().take(1).collect() } else { tagged }
}

/// Serves a stored response without validation.
fn serve(request: &Request, selected: &SelectedResponse<'_>) -> ServeStored {
    let entry = &selected.stored.entry;
    let response = response::without_validation(&entry.response, &selected.directives, selected.age);
    let (response, body) = response::stored_response(request, response, body_length(selected.stored), entry.created_at);
    ServeStored {
        index: selected.index,
        response: Some(response),
        body,
        age: selected.age,
        is_stale: false,
        refresh: None,
    }
}

/// The length of a stored body, if it is known before it is read.
fn body_length(found: &StoredResponse) -> Option<u64> {
    let declared = || found.entry.response.headers.get("content-length")?.trim().parse().ok();
    found.body.as_ref().map(|body| body.len() as u64).or_else(declared)
}
