//! What an answer comes to: the data that was asked for, or why there is none.

use bytes::Bytes;
use cache_core::clock;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::enrich::error::Problem;
use crate::enrich::rate_limiter::retry_after;

/// What a request brought.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Nobody was asked for it but the cache.
    pub is_hit: bool,
}

impl Answer {
    /// The body of a success.
    pub(crate) fn whole(self) -> Result<Bytes, Problem> {
        failure(self.status, &self.headers).map_or(Ok(self.body), Err)
    }

    /// The JSON of a success.
    pub(crate) fn json(self) -> Result<Value, Problem> {
        serde_json::from_slice(&self.whole()?)
            .map_err(|_| Problem::Unexpected("invalid JSON in the response".to_owned()))
    }

    /// The data of a success: [`has_data`].
    pub(crate) fn data(self) -> Result<Value, Problem> {
        match take(&mut self.json()?, "/data") {
            Value::Null => Err(Problem::Unexpected("response has no 'data'".to_owned())),
            data => Ok(data),
        }
    }
}

/// Why an answer with this status is no success; `None`: it is one.
pub(crate) fn failure(status: StatusCode, fields: &HeaderMap) -> Option<Problem> {
    match (status.as_u16(), retry_after(fields, clock::now())) {
        (200..=299, _) => None,
        (404 | 410, _) => Some(Problem::NotFound),
        (429, time) | (503, time @ Some(_)) => Some(Problem::TooMany(time)),
        (status, _) => Some(Problem::Status(status)),
    }
}

/// Takes out what is at a JSON pointer, whatever is around it; `null` where there is nothing.
pub(crate) fn take(value: &mut Value, pointer: &str) -> Value {
    value.pointer_mut(pointer).map(Value::take).unwrap_or_default()
}

/// Whether a body is a JSON object with data: what Jikan and JSON:API answer, and what takes their place in an error has
/// not.
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

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
            body: Bytes::from_static(body.as_bytes()),
            is_hit: false,
        }
    }

    #[test]
    fn an_error_is_told_by_its_status() {
        for (status, expected) in [(404, "not found"), (500, "HTTP status 500"), (429, "rate limited")] {
            let problem = answer(status, &[], "{\"data\": 1}").json().unwrap_err();
            assert_eq!(problem.to_string(), expected);
        }
        for status in [429, 503] {
            let problem = answer(status, &[("retry-after", "3")], "").whole().unwrap_err();
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
    fn only_an_object_with_data_has_data() {
        assert!(has_data(b"{\"data\": [], \"meta\": {}}") && has_data(b"{\"data\": {\"data\": null}}"));
        for body in ["", "[]", "{}", "{\"data\": null}", "{\"errors\": [{\"data\": 1}]}", "{\"data\": [", "<html>"] {
            assert!(!has_data(body.as_bytes()), "{body}");
        }
    }
}
