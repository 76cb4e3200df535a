//! An event of a watched cache, as text without control characters and as JSON.

use std::borrow::Cow;

use cache_core::{CacheEvent, ServiceName};
use serde::Serialize;

use crate::output::json::Text;
use crate::output::row::Id;
use crate::output::secrets::displayed_key;
use crate::output::{safe, secrets};

/// The name of the service, or `unknown`.
pub fn service(service: Option<ServiceName>) -> &'static str {
    service.map_or("unknown", ServiceName::name)
}

/// The subject of an event: method and URL, or the key; without control characters and credentials.
pub fn what(event: &CacheEvent) -> String {
    match (&event.request, &event.cache_key, &event.id) {
        (Some(request), ..) => {
            format!("{} {}", safe::line(&request.method), safe::line(&secrets::redact_url(&request.url)))
        }
        (None, Some(key), _) => safe::bytes(key.as_bytes()).into_owned(),
        (None, None, Some(id)) => displayed_key(&id.redis_key(), false),
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
    cache_key: Option<Text<'a>>,
    method: Option<&'a str>,
    url: Option<Cow<'a, str>>,
}

impl<'a> Row<'a> {
    /// The JSON of this event; `key` is its Redis key, which it borrows.
    pub fn new(event: &'a CacheEvent, key: Option<&'a [u8]>) -> Self {
        let request = event.request.as_deref();
        Self {
            at: event.at,
            event: event.kind.name(),
            kind: event.cache.name(),
            service: event.service.map(ServiceName::name),
            key: key.map(|key| Id::from_key(key, false)),
            cache_key: event.cache_key.as_ref().map(|key| Text(key.as_bytes())),
            method: request.map(|request| &*request.method),
            url: request.map(|request| secrets::redact_url(&request.url)),
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
