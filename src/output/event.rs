//! An event of a watched cache, as text without control characters and as JSON.

use cache_core::redact::{Redacted, Secrets};
use cache_core::{CacheEvent, ServiceName};
use serde::Serialize;

use crate::output::row::Id;
use crate::output::safe;

/// The name of the service, or `unknown`.
pub fn service(service: Option<ServiceName>) -> &'static str {
    service.map_or("unknown", ServiceName::name)
}

/// The subject of an event: method and URL, or the key; without control characters and credentials.
pub fn what(event: &CacheEvent) -> String {
    let secrets = Secrets::Masked;
    match (&event.request, &event.cache_key, &event.id) {
        (Some(request), ..) => {
            format!("{} {}", safe::line(&secrets.text(&request.method)), safe::line(&secrets.url(&request.url)))
        }
        (None, Some(key), _) => safe::key(key.as_bytes(), secrets),
        (None, None, Some(id)) => safe::key(&id.redis_key(), secrets),
        (None, None, None) => String::new(),
    }
}

/// An event in JSON.
#[derive(Serialize)]
pub struct Row<'a> {
    at: f64,
    event: &'static str,
    kind: &'static str,
    service: Option<&'static str>,
    key: Option<Id<'a>>,
    cache_key: Option<Id<'a>>,
    method: Option<Redacted<'a>>,
    url: Option<Redacted<'a>>,
}

impl<'a> Row<'a> {
    /// The JSON of this event; `key` is its Redis key, which it borrows.
    pub fn new(event: &'a CacheEvent, key: Option<&'a [u8]>) -> Self {
        let (request, secrets) = (event.request.as_deref(), Secrets::Masked);
        Self {
            at: event.at,
            event: event.kind.name(),
            kind: event.cache.name(),
            service: event.service.map(ServiceName::name),
            key: key.map(|key| Id::from_key(key, secrets)),
            cache_key: event.cache_key.as_ref().map(|key| Id::from_key(key.as_bytes(), secrets)),
            method: request.map(|request| secrets.text(&request.method)),
            url: request.map(|request| secrets.url(&request.url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cache_core::{CacheKind, EntryId, EventKind, RequestLine};

    use super::*;

    #[test]
    fn event_text_has_no_control_characters_or_credentials() {
        let mut event = CacheEvent {
            at: 0.0,
            kind: EventKind::Miss,
            cache: CacheKind::Result,
            service: None,
            id: Some(EntryId::key(*b"result_cache:\xff\x1b]52;c;aGk=\x07")),
            cache_key: None,
            request: None,
        };
        assert_eq!(what(&event), "result_cache:\\xff␛]52;c;aGk=␇");
        let request = RequestLine { method: "GET\x1b".into(), url: "https://u:p@h/x?token=abc\x1b[31m".into() };
        event.request = Some(Arc::new(request));
        assert_eq!(what(&event), "GET␛ https://***@h/x?token=***");
        let json = serde_json::to_string(&Row::new(&event, None)).unwrap();
        assert!(!json.contains("abc") && !json.contains("u:p"), "{json}");
    }
}
