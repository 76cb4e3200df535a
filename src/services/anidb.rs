//! The client identity that AniDB asks for.

/// The identity of the program at AniDB, which answers registered clients only. Part of every URL, and so of every key.
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
    /// The pipeline's.
    fn default() -> Self {
        Self { name: "animeenrichment".to_owned(), version: "1.0".to_owned(), protocol: "1".to_owned() }
    }
}
