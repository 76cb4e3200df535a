//! Layers of settings: the values of one source, and where a value came from.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    /// The configuration file.
    File(PathBuf),
    /// A profile of the configuration file.
    Profile(String),
    /// `.env` in the working directory.
    DotEnv,
    Environment,
    /// The flag of this name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::DotEnv => f.write_str(".env"),
            Self::Environment => f.write_str("environment"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl Origin {
    /// How a value was set, as a remark behind it.
    pub fn described(&self) -> String {
        match self {
            Self::BuiltIn => "default".to_owned(),
            Self::Environment => "set in the environment".to_owned(),
            Self::Flag(name) => format!("set by {name}"),
            Self::File(_) | Self::Profile(_) | Self::DotEnv => format!("set in {self}"),
        }
    }
}

/// The values that one place gives.
pub(crate) struct Layer {
    pub(crate) values: HashMap<String, String>,
    pub(crate) origin: Origin,
}
