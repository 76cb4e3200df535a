//! The directory of files that outlive a run: `$XDG_STATE_HOME/animecache`.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

/// The directory, which may not exist yet; `None`: the home directory is unknown.
pub(crate) fn state_directory() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("animecache"))
}
