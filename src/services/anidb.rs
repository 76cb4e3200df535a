//! The client identity that AniDB requires.

/// The client identity sent to AniDB, which serves registered clients only. It is part of every URL and so of every
/// key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AniDbClient {
    /// The registered name.
    pub name: String,
    /// The registered version.
    pub version: String,
    /// The version of AniDB's HTTP API.
    pub protocol: String,
}

impl Default for AniDbClient {
    /// The identity of the pipeline.
    fn default() -> Self {
        Self { name: "animeenrichment".to_owned(), version: "1.0".to_owned(), protocol: "1".to_owned() }
    }
}
