//! A transport with responses from a table for the URLs of the real services, without a network.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{BodyStream, RequestTimeout, Transport, TransportError};
use futures_util::stream;
use http::{HeaderMap, Request, Response};

/// Responses by URL; the name of the list is appended for a query of a list. Other URLs get 404.
#[derive(Default)]
pub struct Table {
    answers: HashMap<String, (u16, Bytes)>,
    fields: Mutex<Vec<HeaderMap>>,
    time_limits: Mutex<BTreeMap<String, Option<Duration>>>,
}

impl Table {
    /// Adds a successful response for a URL.
    pub fn with(self, url: &str, body: impl Into<Bytes>) -> Self {
        self.with_status(url, 200, body)
    }

    /// Adds a response for a URL.
    pub fn with_status(mut self, url: &str, status: u16, body: impl Into<Bytes>) -> Self {
        self.answers.insert(url.to_owned(), (status, body.into()));
        self
    }

    /// The header fields of all requests so far.
    pub fn fields(&self) -> Vec<HeaderMap> {
        self.fields.lock().unwrap().clone()
    }

    /// The requested URLs with their timeouts; `None`: the timeout of the transport.
    pub fn time_limits(&self) -> BTreeMap<String, Option<Duration>> {
        self.time_limits.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Table {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<BodyStream>, TransportError> {
        self.fields.lock().unwrap().push(request.headers().clone());
        let query = String::from_utf8_lossy(request.body()).into_owned();
        let list = ["characters(", "staff(", "airingSchedule("].into_iter().find(|list| query.contains(list));
        let asked = format!("{}{}", request.uri(), list.unwrap_or_default().trim_end_matches('('));
        let time_limit = request.extensions().get::<RequestTimeout>().map(|timeout| timeout.0);
        self.time_limits.lock().unwrap().insert(asked.clone(), time_limit);
        let (status, body) = self.answers.get(&asked).cloned().unwrap_or((404, Bytes::new()));
        let body: BodyStream = Box::pin(stream::once(async { Ok(body) }));
        let mut response = Response::new(body);
        *response.status_mut() = status.try_into().unwrap();
        Ok(response)
    }
}
