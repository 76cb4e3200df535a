//! Failures of a service. They are part of the report and do not affect other services.

use std::error::Error as _;
use std::time::Duration;

use cache_core::FetchError;
use cache_core::redact::Redacted;
use serde_json::Value;

/// No Chromium is installed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Chromium not found ({0}); install it (apt-get install chromium, brew install chromium) or set CHROME")]
pub struct NoBrowser(pub(crate) String);

/// The failure of a service or of one of its requests.
#[derive(Debug, thiserror::Error)]
pub enum FetchFailure {
    /// The service does not have it.
    #[error("not found")]
    NotFound,
    /// An error status.
    #[error("HTTP status {0}")]
    Status(u16),
    /// Too many requests, with the time after which to retry.
    #[error("rate limited{}", .0.map(|time| format!("; retry in {} s", time.as_secs())).unwrap_or_default())]
    TooMany(Option<Duration>),
    /// A success with an error as body, or with another page than the requested one.
    #[error("{0}")]
    Unexpected(String),
    /// No request is sent for so long: the service failed too often in a row, or requested a pause.
    #[error("requests paused; retry in {} s", .0.as_secs())]
    BackingOff(Duration),
    /// Offline, and this URL is not cached.
    #[error("not cached: {0}")]
    NotCached(Redacted<'static>),
    /// The time limit of the service is over.
    #[error("timed out after {} s; run again to continue from the cached responses", .0.as_secs())]
    OutOfTime(Duration),
    /// A page did not load in the browser in time.
    #[error("page did not load within {} s", .0.as_secs())]
    SlowPage(Duration),
    /// The site sent a challenge page.
    #[error(
        "blocked by a challenge page{}",
        if *.is_rendered { ", also in Chromium" } else { " that requires a browser" }
    )]
    Challenge {
        /// The request was made by a browser.
        is_rendered: bool,
    },
    /// The site sent a challenge page, and no browser is installed.
    #[error("blocked by a challenge page that requires a browser: {0}")]
    NoBrowser(NoBrowser),
    /// The browser failed.
    #[error("Chromium failed: {0}")]
    Browser(String),
    /// The data without the parts that failed, which are recorded already. It must not be stored.
    #[error("incomplete")]
    Incomplete(Value),
    /// No response, or its body could not be read.
    #[error(transparent)]
    Fetch(FetchError),
}

impl FetchFailure {
    /// Whether data is missing because of it. What a service does not have is not missing.
    pub(crate) fn leaves_a_gap(&self) -> bool {
        !matches!(self, Self::NotFound)
    }
}

/// Takes incomplete data for a success.
pub(crate) fn allow_partial<T: From<Value>>(outcome: Result<T, FetchFailure>) -> Result<T, FetchFailure> {
    match outcome {
        Err(FetchFailure::Incomplete(rest)) => Ok(rest.into()),
        outcome => outcome,
    }
}

/// The reason for not sending a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Offline, and this URL is not cached.
    #[error("not cached: {0}")]
    NotCached(Redacted<'static>),
    /// No request is sent for so long.
    #[error("requests paused; retry in {} s", .0.as_secs())]
    BackingOff(Duration),
}

impl From<Refusal> for FetchFailure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotCached(url) => Self::NotCached(url),
            Refusal::BackingOff(left) => Self::BackingOff(left),
        }
    }
}

impl From<FetchError> for FetchFailure {
    fn from(error: FetchError) -> Self {
        // The cache wraps the error of its transport.
        let refusal = match &error {
            FetchError::Origin(sent) => sent.source().and_then(|source| source.downcast_ref::<Refusal>()),
            _ => None,
        };
        refusal.cloned().map_or(Self::Fetch(error), Self::from)
    }
}
