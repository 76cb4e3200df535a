//! [`IfMissing`]: behavior if the file does not exist.

/// Behavior if the file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Fail with [`crate::error::Error::Missing`].
    Fail,
    /// Create it, and its directory.
    Create,
    /// Act as an empty cache without creating the file. A file that appears later is opened.
    Empty,
}
