//! The choice of what to do where there is no file.

/// What to do where there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Fail with [`crate::error::Error::Missing`].
    Fail,
    /// Create it, and its directory.
    Create,
    /// Act as an empty cache, and create nothing. A file that appears later is opened.
    Empty,
}
