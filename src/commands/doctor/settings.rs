//! Checks of the settings: valid, caching enabled, and equal to those of the pipeline.

use std::path::Path;

use cache_core::{Config, Storage, TlsVerification};

use crate::commands::doctor::command_line::{READ_URL, quoted};
use crate::commands::doctor::report::Check;
use crate::settings::{Setting, Settings};

/// Newer pipelines read other settings, which are not compared.
const PIPELINE: &str = "a pipeline started in this directory that reads REDIS_CACHE_URL and HTTP_CACHE_DIR";

/// The file that the pipeline opens in `HTTP_CACHE_DIR`.
const PIPELINE_FILE: &str = "http_cache.db";

pub(crate) fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    for problem in &settings.problems {
        checks.push(Check::fail("settings", problem, "correct or remove the setting"));
    }
    for problem in settings.unread.iter().chain(&settings.unused) {
        checks.push(Check::warn("settings", problem, "correct or remove the setting"));
    }
    checks.extend(settings.all.iter().filter_map(overridden));
    checks.push(if settings.cache.enabled {
        Check::ok("enabled", "enabled (ENABLE_HTTP_CACHE=true)")
    } else {
        let detail = "disabled (ENABLE_HTTP_CACHE=false): the pipeline does not cache";
        Check::warn("enabled", detail, "export ENABLE_HTTP_CACHE=true")
    });
    checks.push(if settings.has_dot_env {
        Check::note(".env", "found in the current directory")
    } else {
        Check::note(".env", "not found in the current directory")
    });
    if settings.problems.is_empty() {
        let origin = settings.get("HTTP_CACHE_STORAGE").map(|setting| setting.origin.described()).unwrap_or_default();
        checks.push(Check::ok("storage", format!("{} ({origin})", place(&settings.cache))));
        checks.extend(verification(&settings.cache));
        checks.push(same_as_pipeline(&settings.cache, &settings.pipeline));
    }
    checks
}

/// The values that a setting has in weaker sources.
fn overridden(setting: &Setting) -> Option<Check> {
    let others = setting.overridden.iter().map(|(value, origin)| format!("{value} ({origin})"));
    let others = others.collect::<Vec<_>>().join(", ");
    let Setting { name, value, origin, .. } = setting;
    (!others.is_empty()).then(|| Check::note("overridden", format!("{name}: {value} ({origin}), not {others}")))
}

fn verification(cache: &Config) -> Option<Check> {
    let detail = match cache.tls_verification()? {
        TlsVerification::Full => return Some(Check::ok("TLS", "the certificate of the server is verified")),
        TlsVerification::AnyName => "the name in the certificate of the server is not verified",
        TlsVerification::None => "the certificate of the server is not verified",
    };
    Some(Check::warn("TLS", detail, "pass the certificate of its issuer with --cacert FILE"))
}

/// The pipeline reads `.env` and the environment, but neither `config.toml` nor flags.
fn same_as_pipeline(ours: &Config, pipeline: &Config) -> Check {
    if is_same_place(ours, pipeline) {
        return Check::ok("pipeline", format!("{PIPELINE} uses the same cache"));
    }
    let detail = format!("{PIPELINE} uses {}, not {}", pipeline_place(pipeline), place(ours));
    match ours.storage {
        Storage::Redis => {
            let url = ours.redis_url.to_string();
            // A masked password would be taken for the password.
            let fix = if ours.redis_url.has_secret() {
                format!("{READ_URL} HTTP_CACHE_STORAGE=redis")
            } else {
                format!("export HTTP_CACHE_STORAGE=redis REDIS_CACHE_URL={}", quoted(url))
            };
            Check::warn("pipeline", detail, fix)
        }
        Storage::Sqlite => match pipeline_directory(&ours.sqlite_file()) {
            Some(directory) => {
                let fix = format!("export HTTP_CACHE_STORAGE=sqlite HTTP_CACHE_DIR={}", quoted(directory));
                Check::warn("pipeline", detail, fix)
            }
            None => Check::note("pipeline", format!("{detail}; it can only use files named {PIPELINE_FILE}")),
        },
    }
}

fn is_same_place(ours: &Config, pipeline: &Config) -> bool {
    ours.storage == pipeline.storage
        && match ours.storage {
            Storage::Redis => ours.redis_url.is_same_database(&pipeline.redis_url),
            Storage::Sqlite => ours.sqlite_file() == pipeline.sqlite.join(PIPELINE_FILE),
        }
}

/// The directory in which the pipeline opens this file; `None`: it opens none of this name.
fn pipeline_directory(file: &Path) -> Option<&Path> {
    let directory = file.parent().filter(|_| file.file_name().is_some_and(|name| name == PIPELINE_FILE))?;
    Some(if directory == Path::new("") { Path::new(".") } else { directory })
}

fn place(config: &Config) -> String {
    match config.storage {
        Storage::Redis => format!("Redis at {}", config.redis_url),
        Storage::Sqlite => format!("SQLite at {}", config.sqlite_file().display()),
    }
}

fn pipeline_place(pipeline: &Config) -> String {
    match pipeline.storage {
        Storage::Redis => place(pipeline),
        Storage::Sqlite => format!("SQLite at {}", pipeline.sqlite.join(PIPELINE_FILE).display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_opens_one_file_name_only() {
        assert_eq!(pipeline_directory(Path::new("some/http_cache.db")), Some(Path::new("some")));
        assert_eq!(pipeline_directory(Path::new("http_cache.db")), Some(Path::new(".")));
        assert_eq!(pipeline_directory(Path::new("some/cache.db")), None);
    }
}
