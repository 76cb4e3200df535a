//! Start options of the dashboard.

/// Start options of the dashboard.
#[expect(clippy::struct_excessive_bools, reason = "options that do not depend on each other")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Changes are refused, also by the store.
    pub is_read_only: bool,
    /// The cache is the temporary one of the demo.
    pub is_demo: bool,
    /// The background of the terminal is known to be light.
    pub is_light: bool,
    /// Colors are enabled, unless `NO_COLOR` or `--color never` is set.
    pub has_color: bool,
}
