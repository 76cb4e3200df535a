//! The pipeline's policy: responses with a status below 400 are served for the TTL of the service, regardless of their
//! header fields.

use std::time::Duration;

use crate::format::http_date;
use crate::model::entry::{Request, Response};
use crate::model::service::ServiceProfile;
use crate::model::stored::StoredResponse;
use crate::policy::decision::{BodyRange, Decision, Exchange, Forward, Outcome, Reply, ServeStored, StoreAction};
use crate::policy::fields::is_credential;
use crate::policy::storable::{describes_resource, exclude_unstorable_headers};

/// Ignores what the origin says: successful responses are served for a fixed TTL, those marked `no-store` or `private`,
/// too.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedTtl {
    /// The TTL of a response without a TTL of its own (`hishel_ttl`).
    pub ttl: Duration,
    /// Whether a hit renews the TTL.
    pub refresh_on_access: bool,
    /// Whether responses to requests with credentials are stored and served, too: they are the same for all users.
    pub is_shared_by_all: bool,
}

impl FixedTtl {
    /// The policy of a service.
    pub(crate) fn of(profile: &ServiceProfile) -> Self {
        Self { ttl: profile.ttl, refresh_on_access: true, is_shared_by_all: profile.is_shared_by_all }
    }

    pub(crate) fn decide(request: &Request, stored: &[StoredResponse], now: f64) -> Decision {
        match stored.first() {
            Some(newest) => {
                // hishel 2 does not record when it stored a response.
                let date = || newest.entry.response.headers.get("date").and_then(http_date::parse);
                let age = newest.entry.created_at.or_else(date).map_or(0.0, |at| (now - at).max(0.0));
                Decision::ServeStored(ServeStored {
                    index: 0,
                    response: None,
                    body: BodyRange::Full,
                    age,
                    is_stale: false,
                    refresh: None,
                })
            }
            None => Decision::Forward(Forward { request: request.clone(), can_be_shared: true }),
        }
    }

    pub(crate) fn receive(&self, exchange: Exchange<'_>, response: &Response) -> Outcome {
        if response.status_code >= 400 || !describes_resource(response.status_code) {
            return Outcome::pass();
        }
        let mut request = exchange.sent.clone();
        // Credentials are not part of the key, and are not needed by any other reader.
        request.headers.retain(|name| !is_credential(name));
        let headers = exclude_unstorable_headers(&response.headers);
        let ttl = exchange.request.extra.ttl().and_then(|ttl| Duration::try_from_secs_f64(ttl).ok());
        let storing = StoreAction {
            request,
            response: Response { headers, ..response.clone() },
            created_at: exchange.now,
            retention: ttl.unwrap_or(self.ttl),
            replaces: (0..exchange.stored.len()).collect(),
        };
        Outcome { reply: Reply::Origin(Some(storing)), ..Outcome::pass() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::format::http_key::hishel1_key;
    use crate::model::entry::{Entry, EntryId, StorageLayout};

    fn found(created_at: Option<f64>, headers: &[(&str, &str)]) -> StoredResponse {
        let headers = headers.iter().copied().collect();
        let entry = Entry {
            id: Uuid::new_v4(),
            cache_key: hishel1_key(b"a"),
            request: Request::default(),
            response: Response { status_code: 200, headers, ..Response::default() },
            created_at,
            deleted_at: None,
        };
        let id = EntryId::Http(StorageLayout::Pipeline, entry.id);
        StoredResponse { id, entry: Arc::new(entry), expires_at: None, body: None }
    }

    #[test]
    fn newest_is_served_and_a_new_response_replaces_all() {
        let (request, stored) = (Request::default(), [found(Some(80.0), &[]), found(Some(10.0), &[])]);
        let Decision::ServeStored(serve) = FixedTtl::decide(&request, &stored, 100.0) else {
            panic!("nothing is served")
        };
        assert_eq!((serve.index, serve.age, serve.is_stale), (0, 20.0, false));
        let policy = FixedTtl { ttl: Duration::from_secs(60), refresh_on_access: true, is_shared_by_all: true };
        let exchange = Exchange { request: &request, sent: &request, stored: &stored, requested_at: 99.0, now: 100.0 };
        let outcome = policy.receive(exchange, &Response { status_code: 200, ..Response::default() });
        let Reply::Origin(Some(storing)) = outcome.reply else { panic!("nothing is stored") };
        assert_eq!((storing.replaces, storing.retention), (vec![0, 1], policy.ttl));
    }

    #[test]
    fn age_without_storage_time_is_counted_from_date() {
        for (date, age) in [("Thu, 01 Jan 1970 00:01:00 GMT", 40.0), ("yesterday", 0.0)] {
            let stored = [found(None, &[("date", date)])];
            let Decision::ServeStored(serve) = FixedTtl::decide(&Request::default(), &stored, 100.0) else {
                panic!("{date}")
            };
            assert_eq!((serve.index, serve.age), (0, age), "{date}");
        }
    }
}
