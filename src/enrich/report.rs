//! What an enrichment came to, as `enrich --json` writes it.

use cache_core::Service;
use serde::{Deserialize, Serialize};

/// The outcome of one enrichment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub title: String,
    pub services: Vec<ServiceReport>,
    pub cold_seconds: f64,
    pub warm_seconds: f64,
    /// Cold over warm; `None`: there was no warm pass.
    pub speedup: Option<f64>,
    pub identical: bool,
}

/// The outcome at one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    #[serde(with = "name")]
    pub service: Service,
    /// `http` or `result`: which of the two caches it goes through.
    pub strategy: String,
    pub ok: bool,
    pub error: Option<String>,
    pub cold: Pass,
    /// `None`: the cold pass failed, so there was nothing to compare with.
    pub warm: Option<Pass>,
    pub speedup: Option<f64>,
    pub identical: Option<bool>,
    /// Where the two passes differ first: a path into the data, or the key of a body.
    pub difference: Option<String>,
}

/// One pass over one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    pub seconds: f64,
    pub requests: u64,
    pub hits: u64,
    /// Requests that went to the service itself.
    pub upstream: u64,
    pub bytes: u64,
    /// Seconds of waiting for permission.
    pub waited: f64,
}

mod name {
    use cache_core::Service;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(service: &Service, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(service.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Service, D::Error> {
        let name = String::deserialize(deserializer)?;
        Service::from_name(&name).ok_or_else(|| D::Error::custom("no such service"))
    }
}
