//! Settings and the source of each: built-in < `config.toml` < `.env` < environment < flags.

pub mod config_file;
pub mod environment;
pub mod layer;

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use cache_core::redact::{MASK, Secrets};
use cache_core::{Config, ServiceName};

use crate::cli::Global;
use crate::exit::Refused;
use crate::services::Services;
use crate::services::table::table;
use crate::settings::environment::{names, set};
use crate::settings::layer::{Layer, Origin};

/// One setting in effect.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name, as in the environment.
    pub name: String,
    /// Its value without secrets.
    pub value: String,
    pub origin: Origin,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cache: Config,
    /// The services with their settings.
    pub services: Services,
    /// The settings of the pipeline: built-in, `.env` and environment, without `config.toml` and flags.
    pub pipeline: Config,
    /// Every setting with its origin.
    pub all: Vec<Setting>,
    /// Invalid values. No cache is opened while there are any: it might be the wrong one.
    pub problems: Vec<String>,
    /// Whether there is a `.env` in the working directory.
    pub has_dot_env: bool,
}

impl Settings {
    /// Reads every source. Fails if a named file is missing, or if a file cannot be read.
    pub fn load(global: &Global) -> anyhow::Result<Self> {
        // Not by clap: one flag may stand before the command and the other after it.
        if global.redis.is_some() && global.sqlite.is_some() {
            return Err(Refused("--redis and --sqlite cannot be used together".to_owned()).into());
        }
        let environment = Layer {
            values: names().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect(),
            origin: Origin::Environment,
        };
        let mut problems = Vec::new();
        let dot_env = dot_env(Path::new(".env"), &mut problems)?;
        let has_dot_env = dot_env.is_some();
        let files = config_file::read(global)?;
        let ours = files.into_iter().chain(dot_env).chain([environment]).chain(flags(global));
        Ok(Self::from_layers(&ours.collect::<Vec<_>>(), has_dot_env, problems))
    }

    fn from_layers(layers: &[Layer], has_dot_env: bool, mut problems: Vec<String>) -> Self {
        let (mut cache, mut services) = (Config::default(), Services::default());
        let (mut pipeline, mut of_pipelines) = (Config::default(), Services::default());
        let mut all = Vec::new();
        for name in names() {
            // An empty value counts as unset, as in `${NAME:-default}` of shells.
            let given = |layer: &Layer| {
                let value = layer.values.get(&name).filter(|value| !value.trim().is_empty())?;
                Some((value.clone(), layer.origin.clone()))
            };
            let of_pipeline = |layer: &&Layer| matches!(layer.origin, Origin::DotEnv | Origin::Environment);
            if let Some((value, _)) = layers.iter().rev().filter(of_pipeline).find_map(given) {
                // The pipeline keeps its default if a value is invalid.
                let _ = set(&mut pipeline, &mut of_pipelines, &name, &value);
            }
            let (value, origin) = match layers.iter().rev().find_map(given) {
                Some((value, origin)) => {
                    if let Err(error) = set(&mut cache, &mut services, &name, &value) {
                        let problem = Secrets::Masked.text(&error.to_string()).into_owned();
                        problems.push(format!("{problem} ({})", origin.described()));
                    }
                    (displayed(&name, &value), origin)
                }
                None => (built_in(&name).to_owned(), Origin::BuiltIn),
            };
            all.push(Setting { name, value, origin });
        }
        let (cache, pipeline) = (services.config(&cache), of_pipelines.config(&pipeline));
        Self { cache, services, pipeline, all, problems, has_dot_env }
    }

    /// The setting of a name.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.all.iter().find(|setting| setting.name == name)
    }
}

/// A value without its secrets.
fn displayed(name: &str, value: &str) -> String {
    match name {
        _ if name.ends_with("_TOKEN") => MASK.to_owned(),
        "REDIS_CACHE_URL" => Secrets::Masked.url(value).into(),
        _ => Secrets::Masked.text(value).into(),
    }
}

/// The default as text.
fn built_in(name: &str) -> &'static str {
    match name {
        "ENABLE_HTTP_CACHE" | "REDIS_SOCKET_KEEPALIVE" | "REDIS_RETRY_ON_TIMEOUT" => "true",
        "HTTP_CACHE_STORAGE" => "redis",
        "REDIS_CACHE_URL" => "redis://localhost:6379/0",
        "HTTP_CACHE_DIR" => "data/http_cache",
        "REDIS_MAX_CONNECTIONS" => "100",
        "REDIS_SOCKET_CONNECT_TIMEOUT" => "5",
        "REDIS_SOCKET_TIMEOUT" => "10",
        "REDIS_HEALTH_CHECK_INTERVAL" => "30",
        "ANIMECACHE_STORE_PATIENCE" => "0.5",
        "ANIMECACHE_LARGEST_ENTRY" => "67108864",
        "ANIMECACHE_FIRST_LEVEL" => "0",
        "ANIDB_CLIENT" => "animeenrichment",
        "ANIDB_CLIENTVER" => "1.0",
        "ANIDB_PROTOVER" => "1",
        name if name.ends_with("_TOKEN") => "not set",
        name => in_table(name).unwrap_or("service default"),
    }
}

/// The TTL or the policy of a service in the table.
fn in_table(name: &str) -> Option<&'static str> {
    let row = |service: &str| table().row(ServiceName::find(&service.to_lowercase())?);
    match name.strip_prefix("ANIMECACHE_TTL_") {
        Some(service) => Some(&row(service)?.ttl),
        None => Some(&row(name.strip_prefix("ANIMECACHE_POLICY_")?)?.policy),
    }
}

fn flags(global: &Global) -> Vec<Layer> {
    let one = |flag, name: &str, value: &str| Layer {
        values: HashMap::from([(name.to_owned(), value.to_owned())]),
        origin: Origin::Flag(flag),
    };
    let mut layers = Vec::new();
    // A flag with a URL or a file selects its backend, too.
    if let Some(path) = &global.sqlite {
        layers.push(one("--sqlite", "HTTP_CACHE_DIR", &path.to_string_lossy()));
        layers.push(one("--sqlite", "HTTP_CACHE_STORAGE", "sqlite"));
    }
    if let Some(url) = &global.redis {
        layers.push(one("--redis", "REDIS_CACHE_URL", url));
        layers.push(one("--redis", "HTTP_CACHE_STORAGE", "redis"));
    }
    if let Some(storage) = &global.storage {
        layers.push(one("--storage", "HTTP_CACHE_STORAGE", storage));
    }
    layers
}

/// The values of a `.env` file; they are not put into this process's environment. `None`: there is no such file.
fn dot_env(path: &Path, problems: &mut Vec<String>) -> anyhow::Result<Option<Layer>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(Refused(format!("cannot read {}", path.display()))),
    };
    // Invalid lines belong to other programs.
    let text = text.trim_start_matches('\u{feff}');
    let values: HashMap<String, String> = dotenvy::from_read_iter(text.as_bytes()).filter_map(Result::ok).collect();
    for name in names().filter(|name| !values.contains_key(name)) {
        let assigns = |line: &str| {
            let line = line.trim_start();
            let line = line.strip_prefix("export").map_or(line, str::trim_start);
            line.strip_prefix(&name).is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        if text.lines().any(assigns) {
            problems.push(format!("cannot parse {name} in .env: quote the value"));
        }
    }
    Ok(Some(Layer { values, origin: Origin::DotEnv }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::Storage;

    fn layer(origin: Origin, values: &[(&str, &str)]) -> Layer {
        Layer { origin, values: values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect() }
    }

    #[test]
    fn the_built_in_values_are_the_defaults_of_the_cache() {
        let (mut config, mut services) = (Config::default(), Services::default());
        let is_the_services_own =
            |name: &String| name.ends_with("_URL") || name.ends_with("_TOKEN") || name.contains("_LIMIT_");
        for name in names().filter(|name| !is_the_services_own(name)) {
            set(&mut config, &mut services, &name, built_in(&name)).unwrap();
        }
        assert_eq!((config, services), (Config::default(), Services::default()));
    }

    #[test]
    fn the_stronger_layer_wins_and_is_remembered() {
        let settings = Settings::from_layers(
            &[
                layer(Origin::File("config.toml".into()), &[("REDIS_SOCKET_TIMEOUT", "1"), ("HTTP_CACHE_DIR", "a")]),
                layer(Origin::DotEnv, &[("REDIS_SOCKET_TIMEOUT", "2"), ("REDIS_CACHE_URL", "redis://:pw@a/1")]),
                layer(Origin::Environment, &[("REDIS_SOCKET_TIMEOUT", " ")]),
                layer(Origin::Flag("--sqlite"), &[("HTTP_CACHE_STORAGE", "sqlite")]),
            ],
            true,
            Vec::new(),
        );
        let shown = |name| {
            let setting = settings.get(name).unwrap();
            (setting.value.as_str(), setting.origin.to_string())
        };
        assert_eq!(shown("REDIS_SOCKET_TIMEOUT"), ("2", ".env".into()));
        assert_eq!(shown("REDIS_CACHE_URL"), ("redis://***@a/1", ".env".into()));
        assert_eq!(shown("HTTP_CACHE_STORAGE"), ("sqlite", "--sqlite".into()));
        assert_eq!(shown("HTTP_CACHE_DIR"), ("a", "config.toml".into()));
        assert_eq!(shown("ANIMECACHE_TTL_JIKAN"), ("24h", "built-in".into()));
        assert_eq!(settings.cache.storage, Storage::Sqlite);
        assert_eq!(settings.pipeline.storage, Storage::Redis);
        assert_eq!(settings.pipeline.sqlite, Path::new("data/http_cache"));
    }

    #[test]
    fn an_unusable_value_is_a_problem_with_its_origin() {
        let settings =
            Settings::from_layers(&[layer(Origin::DotEnv, &[("HTTP_CACHE_STORAGE", "disk")])], true, Vec::new());
        assert_eq!(
            settings.problems,
            ["invalid value 'disk' for HTTP_CACHE_STORAGE: expected redis or sqlite (set in .env)"]
        );
    }

    #[test]
    fn a_dot_env_of_another_program_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        std::fs::write(&path, "OTHER=two words\nexport HTTP_CACHE_STORAGE=sqlite\nREDIS_CACHE_URL=a b\n").unwrap();
        let mut problems = Vec::new();
        let layer = dot_env(&path, &mut problems).unwrap().unwrap();
        assert_eq!(layer.values["HTTP_CACHE_STORAGE"], "sqlite");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("REDIS_CACHE_URL"), "{problems:?}");
        assert!(dot_env(&dir.path().join("none"), &mut problems).unwrap().is_none());
    }
}
