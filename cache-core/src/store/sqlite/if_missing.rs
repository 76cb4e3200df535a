//! The choice of what to do where there is no file.

/// What to do where there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Fail with [`crate::error::Error::IfMissing`].
    Fail,
    /// Create it, and its directory.
    Create,
    /// Act as an empty cache, and create nothing. A file that appears later is opened.
    Empty,
}
