//! Checks of the settings: valid, caching enabled, and equal to those of the pipeline.

use cache_core::{Config, Storage};

use crate::commands::doctor::command_line::quoted;
use crate::commands::doctor::report::Check;
use crate::settings::Settings;

/// Newer pipelines read other settings, which are not compared.
const PIPELINE: &str = "a pipeline started in this directory that reads REDIS_CACHE_URL and HTTP_CACHE_DIR";

pub(crate) fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    for problem in &settings.problems {
        checks.push(Check::fail("settings", problem, "correct or remove the setting"));
    }
    checks.push(if settings.cache.enabled {
        Check::ok("enabled", "enabled (ENABLE_HTTP_CACHE=true)")
    } else {
        let detail = "disabled (ENABLE_HTTP_CACHE=false): the pipeline does not cache";
        Check::warn("enabled", detail, "export ENABLE_HTTP_CACHE=true")
    });
    let origin = settings.get("HTTP_CACHE_STORAGE").map(|setting| setting.origin.described()).unwrap_or_default();
    checks.push(Check::ok("storage", format!("{} ({origin})", place(&settings.cache))));
    checks.push(if settings.has_dot_env {
        Check::note(".env", "found in the current directory")
    } else {
        Check::note(".env", "not found in the current directory")
    });
    checks.push(same_as_pipeline(&settings.cache, &settings.pipeline));
    checks
}

/// The pipeline reads `.env` and the environment, but neither `config.toml` nor flags.
fn same_as_pipeline(ours: &Config, pipeline: &Config) -> Check {
    if is_same_place(ours, pipeline) {
        return Check::ok("pipeline", format!("{PIPELINE} uses the same cache"));
    }
    let detail = format!("{PIPELINE} uses {}, not {}", place(pipeline), place(ours));
    let fix = match ours.storage {
        Storage::Redis => {
            format!("export HTTP_CACHE_STORAGE=redis REDIS_CACHE_URL={}", quoted(&ours.redis_url.to_string()))
        }
        Storage::Sqlite => {
            format!("export HTTP_CACHE_STORAGE=sqlite HTTP_CACHE_DIR={}", quoted(&ours.sqlite.to_string_lossy()))
        }
    };
    Check::warn("pipeline", detail, fix)
}

fn is_same_place(ours: &Config, pipeline: &Config) -> bool {
    ours.storage == pipeline.storage
        && match ours.storage {
            Storage::Redis => ours.redis_url == pipeline.redis_url,
            Storage::Sqlite => ours.sqlite_file() == pipeline.sqlite_file(),
        }
}

fn place(config: &Config) -> String {
    match config.storage {
        Storage::Redis => format!("Redis at {}", config.redis_url),
        Storage::Sqlite => format!("SQLite at {}", config.sqlite_file().display()),
    }
}
