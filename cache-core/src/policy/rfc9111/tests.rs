//! The policy with a cache of one key: exchanges with an origin, and the decisions for later requests.

pub(crate) mod answers;
pub(crate) mod any_input;
pub(crate) mod reuse;
pub(crate) mod validation;

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::format::http_key::hishel1_key;
use crate::model::entry::{Entry, EntryId, StorageLayout};
use crate::model::headers::Headers;
use crate::policy::decision::BodyRange;
use crate::policy::rfc9111::*;

/// Sun, 06 Nov 1994 08:49:37 GMT
const START: f64 = 784_111_777.0;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

const BEFORE: &str = "Sun, 06 Nov 1994 07:49:37 GMT";

type Fields<'a> = &'a [(&'a str, &'a str)];

/// A cache with one key.
#[derive(Default)]
struct Scene {
    policy: Rfc9111,
    stored: Vec<StoredResponse>,
}

fn request(method: &str, fields: Fields<'_>) -> Request {
    Request {
        method: method.into(),
        url: "http://example.org/a".into(),
        headers: headers(fields),
        ..Request::default()
    }
}

fn get(fields: Fields<'_>) -> Request {
    request("GET", fields)
}

fn headers(fields: Fields<'_>) -> Headers {
    fields.iter().copied().collect()
}

fn response(status: u16, fields: Fields<'_>) -> Response {
    Response { status_code: status, headers: headers(fields), ..Response::default() }
}

impl Scene {
    fn shared() -> Self {
        Self { policy: Rfc9111 { is_shared: true, ..Rfc9111::default() }, ..Self::default() }
    }

    /// Holds the response with a body of ten bytes to a GET sent at [`START`].
    fn holding(mut self, asked: Fields<'_>, fields: Fields<'_>) -> Self {
        assert!(self.store(&get(asked), &response(200, fields), START), "{fields:?} is not stored");
        self
    }

    fn store(&mut self, request: &Request, response: &Response, at: f64) -> bool {
        let outcome = self.receive(request, response, at);
        let Reply::Origin(Some(storing)) = outcome.reply else { return false };
        assert!(storing.retention.as_secs() > 0);
        let id = Uuid::new_v4();
        let entry = Entry {
            id,
            cache_key: hishel1_key(b"a"),
            request: storing.request,
            response: storing.response,
            created_at: Some(storing.created_at),
            deleted_at: None,
        };
        let body = Some(Bytes::from_static(b"0123456789"));
        let id = EntryId::Http(StorageLayout::Pipeline, id);
        for index in storing.replaces.into_iter().rev() {
            self.stored.remove(index);
        }
        self.stored.insert(0, StoredResponse { id, entry: Arc::new(entry), expires_at: None, body });
        true
    }

    fn decide(&self, request: &Request, at: f64) -> Decision {
        self.policy.decide(request, &self.stored, START + at)
    }

    fn served(&self, request: &Request, at: f64) -> Option<ServeStored> {
        match self.decide(request, at) {
            Decision::ServeStored(serve) => Some(serve),
            Decision::Forward(_) | Decision::Unsatisfiable => None,
        }
    }

    fn forwarded(&self, request: &Request, at: f64) -> Forward {
        match self.decide(request, at) {
            Decision::Forward(forward) => forward,
            other => panic!("{other:?}"),
        }
    }

    fn exchange<R>(&self, request: &Request, at: f64, with: impl FnOnce(Exchange<'_>) -> R) -> R {
        let sent = self.policy.forward(request, &self.stored).request;
        with(Exchange { request, sent: &sent, stored: &self.stored, requested_at: at, now: at })
    }

    /// The outcome of the origin's response `at` this Unix time.
    fn receive(&self, request: &Request, response: &Response, at: f64) -> Outcome {
        self.exchange(request, at, |exchange| self.policy.receive(exchange, response))
    }

    fn unreachable(&self, request: &Request, at: f64) -> Option<ServeStored> {
        self.exchange(request, START + at, |exchange| self.policy.unreachable(exchange))
    }

    fn update(&mut self, update: Update) {
        let found = &mut self.stored[update.index];
        let entry =
            Entry { response: update.response, created_at: Some(update.created_at), ..Entry::clone(&found.entry) };
        found.entry = Arc::new(entry);
    }
}

fn two_variants() -> Scene {
    let fields = |tag| [("cache-control", "max-age=60"), ("vary", "Foo"), ("etag", tag)];
    Scene::default().holding(&[("foo", "1")], &fields("\"one\"")).holding(&[("foo", "2")], &fields("\"two\""))
}
