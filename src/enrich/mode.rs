//! TODO

/// What of the cache may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Whatever is in it; what is not is fetched and stored.
    #[default]
    Usual,
    /// Nothing: everything is fetched and stored anew.
    Fresh,
    /// Nothing, and nothing is stored: what the services say now.
    Uncached,
    /// Only what is in it: nothing is fetched.
    Offline,
}

impl Mode {
    /// Whether anything is stored.
    pub fn stores(self) -> bool {
        matches!(self, Self::Usual | Self::Fresh)
    }
}
