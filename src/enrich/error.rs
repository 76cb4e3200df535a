//! Why a service brought nothing. One failed service fails no other, so these are told, not thrown.

use std::error::Error as _;
use std::time::Duration;

use cache_core::FetchError;
use serde_json::Value;

/// There is no Chromium.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Chromium not found ({0}); install it (apt-get install chromium, brew install chromium) or set CHROME")]
pub struct NoBrowser(pub(crate) String);

/// Why a service, or one of its requests, brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It does not know the anime.
    #[error("not found")]
    NotFound,
    /// It answered with an error.
    #[error("HTTP status {0}")]
    Status(u16),
    /// It has had enough of us.
    #[error("rate limited{}", .0.map(|time| format!("; retry in {} s", time.as_secs())).unwrap_or_default())]
    TooMany(Option<Duration>),
    /// It answered, but with an error in the body, or with another page than the one that was asked for.
    #[error("{0}")]
    Unexpected(String),
    /// It failed too often in a row, or wants it so: it is left alone for a while.
    #[error("requests paused; retry in {} s", .0.as_secs())]
    LeftAlone(Duration),
    /// Only what is cached was asked for, and this is not.
    #[error("not cached: {0}")]
    NotCached(String),
    /// All its requests together took too long.
    #[error("timed out after {} s; run again to continue from the cached responses", .0.as_secs())]
    OutOfTime(Duration),
    /// A page took the browser too long.
    #[error("page did not load within {} s", .0.as_secs())]
    SlowPage(Duration),
    /// The site wants to see a browser before it goes on.
    #[error(
        "blocked by a challenge page{}",
        if *.is_rendered { ", also in Chromium" } else { " that requires a browser" }
    )]
    Challenge {
        /// It came though a browser asked.
        is_rendered: bool,
    },
    /// The site wants to see one, and there is none.
    #[error("blocked by a challenge page that requires a browser: {0}")]
    NoBrowser(NoBrowser),
    /// The browser that was to render a page did not.
    #[error("Chromium failed: {0}")]
    Browser(String),
    /// A part could not be had, which has been told; this is the rest. It is not to be stored.
    #[error("incomplete")]
    Incomplete(Value),
    /// It could not be asked, or its answer not be read.
    #[error(transparent)]
    Fetch(FetchError),
}

impl Problem {
    /// Whether something is missing for it. What a service does not have is not missing.
    pub(crate) fn leaves_a_gap(&self) -> bool {
        !matches!(self, Self::NotFound)
    }
}

/// What there is of it, be it incomplete.
pub(crate) fn as_far_as_had<T: From<Value>>(outcome: Result<T, Problem>) -> Result<T, Problem> {
    match outcome {
        Err(Problem::Incomplete(rest)) => Ok(rest.into()),
        outcome => outcome,
    }
}

/// Why nobody was asked: what the way out says instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nobody may be asked for this URL.
    #[error("not cached: {0}")]
    NotCached(String),
    /// The service is left alone for so long.
    #[error("requests paused; retry in {} s", .0.as_secs())]
    LeftAlone(Duration),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotCached(url) => Self::NotCached(url),
            Refusal::LeftAlone(left) => Self::LeftAlone(left),
        }
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        // The cache hands on what its sender said.
        let refusal = match &error {
            FetchError::Origin(sent) => sent.source().and_then(|source| source.downcast_ref::<Refusal>()),
            _ => None,
        };
        refusal.cloned().map_or(Self::Fetch(error), Self::from)
    }
}
