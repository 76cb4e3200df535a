//! How the dashboard is started.

/// How the dashboard is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Changes are refused (the store refuses them too).
    pub is_read_only: bool,
    /// A throw-away cache is shown.
    pub is_demo: bool,
    /// Colours may be used; `NO_COLOR` and `--color never` say no.
    pub has_color: bool,
}
