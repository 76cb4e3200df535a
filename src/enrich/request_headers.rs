//! Requests as most sources write them: who asks, and what for.

use cache_core::RequestBuilder;
use serde_json::Value;

use crate::enrich::service_client::Way;

/// Who asks, to those who would like to know.
pub(crate) const AGENT: &str = concat!("animecache/", env!("CARGO_PKG_VERSION"));

impl Way {
    /// A GET; under the pipeline's policy the key is made from the URL as it is written here.
    pub(crate) fn get(&self, url: impl Into<String>) -> RequestBuilder {
        self.client().get(url).header("user-agent", AGENT)
    }

    /// A POST of JSON, which is part of the key.
    ///
    /// The pipeline sends the override with every request. Its own policy needs it with none, and under RFC 9111 it
    /// makes the key of the body alone: right for a query, but all GETs of a service would share one key.
    pub(crate) fn post(&self, url: impl Into<String>, body: &Value) -> RequestBuilder {
        self.client().post(url).json(body).header("user-agent", AGENT).header("x-hishel-body-key", "true")
    }
}
