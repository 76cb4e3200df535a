//! The environment of every program that tests start: nothing of the developer's own reaches it.

use std::ffi::OsString;
use std::path::Path;

/// All variables of a program whose files belong to this directory. Without `PATH` it finds no browser.
pub fn variables(directory: &Path) -> Vec<(&'static str, OsString)> {
    let own = ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"];
    let own = own.map(|name| {
        let below = if name.starts_with("XDG_") { directory.join(".xdg") } else { directory.to_owned() };
        (name, below.into_os_string())
    });
    own.into_iter().chain([("LANG", "C.UTF-8".into())]).collect()
}
