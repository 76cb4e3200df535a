//! Access tokens of services.

use std::fmt;

/// An access token of a service. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token in plain text.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token in plain text, for requests only.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
