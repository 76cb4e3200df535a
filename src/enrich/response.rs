//! A response of a service, and its data or failure.

use bytes::Bytes;
use cache_core::clock;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::enrich::error::FetchFailure;
use crate::enrich::rate_limiter::retry_after;

/// A response, whatever its status.
pub struct ServiceResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Served from the cache.
    pub is_hit: bool,
}

impl ServiceResponse {
    /// The body of a success.
    pub(crate) fn ok(self) -> Result<Bytes, FetchFailure> {
        failure(self.status, &self.headers).map_or(Ok(self.body), Err)
    }

    /// The JSON of a success.
    pub(crate) fn json(self) -> Result<Value, FetchFailure> {
        serde_json::from_slice(&self.ok()?)
            .map_err(|_| FetchFailure::Unexpected("invalid JSON in the response".to_owned()))
    }

    /// The data of a success: [`has_data`].
    pub(crate) fn data(self) -> Result<Value, FetchFailure> {
        match take(&mut self.json()?, "/data") {
            Value::Null => Err(FetchFailure::Unexpected("response has no 'data'".to_owned())),
            data => Ok(data),
        }
    }
}

/// The failure of a response with this status; `None`: it is a success.
pub(crate) fn failure(status: StatusCode, fields: &HeaderMap) -> Option<FetchFailure> {
    match (status.as_u16(), retry_after(fields, clock::now())) {
        (200..=299, _) => None,
        (404 | 410, _) => Some(FetchFailure::NotFound),
        (429, time) | (503, time @ Some(_)) => Some(FetchFailure::TooMany(time)),
        (status, _) => Some(FetchFailure::Status(status)),
    }
}

/// Takes the value at a JSON pointer; `null` if there is none.
pub(crate) fn take(value: &mut Value, pointer: &str) -> Value {
    value.pointer_mut(pointer).map(Value::take).unwrap_or_default()
}

/// Whether a body is a JSON object with `data`, as of Jikan and JSON:API; errors have none.
pub(crate) fn has_data(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Document {
        data: Option<IgnoredAny>,
    }
    serde_json::from_slice(body).is_ok_and(|document: Document| document.data.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> ServiceResponse {
        ServiceResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
            body: Bytes::from_static(body.as_bytes()),
            is_hit: false,
        }
    }

    #[test]
    fn error_message_depends_on_status() {
        for (status, expected) in [(404, "not found"), (500, "HTTP status 500"), (429, "rate limited")] {
            let problem = answer(status, &[], "{\"data\": 1}").json().unwrap_err();
            assert_eq!(problem.to_string(), expected);
        }
        for status in [429, 503] {
            let problem = answer(status, &[("retry-after", "3")], "").ok().unwrap_err();
            assert_eq!(problem.to_string(), "rate limited; retry in 3 s");
        }
        for (body, expected) in
            [("<html>", "invalid JSON in the response"), ("{\"data\": null}", "response has no 'data'")]
        {
            assert_eq!(answer(200, &[], body).data().unwrap_err().to_string(), expected);
        }
        assert_eq!(answer(200, &[], "{\"data\": [1]}").data().unwrap(), serde_json::json!([1]));
    }

    #[test]
    fn has_data_is_true_for_object_with_data_only() {
        assert!(has_data(b"{\"data\": [], \"meta\": {}}") && has_data(b"{\"data\": {\"data\": null}}"));
        for body in ["", "[]", "{}", "{\"data\": null}", "{\"errors\": [{\"data\": 1}]}", "{\"data\": [", "<html>"] {
            assert!(!has_data(body.as_bytes()), "{body}");
        }
    }
}
