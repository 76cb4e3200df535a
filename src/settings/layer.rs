//! Sources of settings, and the values of each.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The source of a value.
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
    /// The source as a remark.
    pub fn described(&self) -> String {
        match self {
            Self::BuiltIn => "default".to_owned(),
            Self::Environment => "set in the environment".to_owned(),
            Self::Flag(name) => format!("set by {name}"),
            Self::File(_) | Self::Profile(_) | Self::DotEnv => format!("set in {self}"),
        }
    }
}

/// The values of one source, as bytes: paths need not be UTF-8.
pub(crate) struct Layer {
    pub(crate) values: HashMap<String, OsString>,
    pub(crate) origin: Origin,
}
