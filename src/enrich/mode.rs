//! Cache modes of an enrichment.

/// The cache mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Cached responses are used; others are fetched and stored.
    #[default]
    Usual,
    /// Everything is fetched and stored again.
    Fresh,
    /// Everything is fetched, and nothing is stored.
    Uncached,
    /// Cached responses only: nothing is fetched.
    Offline,
}

impl Mode {
    /// Whether anything is stored.
    pub fn stores(self) -> bool {
        matches!(self, Self::Usual | Self::Fresh)
    }
}
