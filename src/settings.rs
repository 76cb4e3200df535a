//! Settings and the source of each: built-in < `config.toml` < `.env` < environment < `--config` < `--profile` < flags.
//! What was typed is the strongest. Nothing is dropped: a value that cannot be used keeps every cache closed.

pub mod config_file;
pub(crate) mod dot_env;
pub mod environment;
pub mod layer;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use cache_core::redact::{MASK, Secrets};
use cache_core::{Config, ServiceName, Storage};

use crate::cli::Global;
use crate::exit::Refused;
use crate::services::Services;
use crate::services::table::table;
use crate::settings::config_file::ConfigFile;
use crate::settings::dot_env::DotEnv;
use crate::settings::environment::{names, names_of, readable, set};
use crate::settings::layer::{Layer, Origin};

/// One setting in effect.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name, as in the environment.
    pub name: String,
    /// Its value without secrets.
    pub value: String,
    pub origin: Origin,
    /// Other values that weaker sources have, without secrets.
    pub overridden: Vec<(String, Origin)>,
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
    /// Sources that cannot be read, where flags name the cache.
    pub unread: Vec<String>,
    /// Invalid values of a backend that a flag excludes.
    pub unused: Vec<String>,
    /// Whether there is a `.env` in the working directory.
    pub has_dot_env: bool,
}

impl Settings {
    /// Reads every source. Fails if the flags contradict each other.
    pub fn load(global: &Global, file: ConfigFile) -> anyhow::Result<Self> {
        // Not by clap: one flag may stand before the command and the other after it.
        if global.redis.is_some() && global.sqlite.is_some() {
            return Err(Refused("--redis and --sqlite cannot be used together".to_owned()).into());
        }
        let (mut problems, mut unread) = (Vec::new(), Vec::new());
        let file = if file.is_of(global.config.as_deref()) { file } else { ConfigFile::read(global.config.clone()) };
        let is_typed = file.is_named() || global.profile.is_some();
        let of_file = file.layers(global.profile.as_deref()).unwrap_or_else(|problem| {
            if is_typed {
                problems.push(problem);
            } else {
                unread.push(problem);
            }
            config_file::FileLayers::default()
        });
        let dot_env = dot_env::read(Path::new(".env")).unwrap_or_else(|problem| {
            unread.push(format!("cannot read .env: {problem}"));
            Some(DotEnv::default())
        });
        let has_dot_env = dot_env.is_some();
        let DotEnv { values, invalid } = dot_env.unwrap_or_default();
        let environment = names().filter_map(|name| Some((name.clone(), std::env::var_os(name)?))).collect();
        let mut layers =
            vec![Layer { values, origin: Origin::DotEnv }, Layer { values: environment, origin: Origin::Environment }];
        if let Some(layer) = of_file.file {
            layers.insert(if file.is_named() { layers.len() } else { 0 }, layer);
        }
        layers.extend(of_file.profile);
        layers.extend(flags(global));
        if global.redis.is_none() && global.sqlite.is_none() {
            problems.append(&mut unread);
        }
        let mut settings = Self::from_layers(&layers, &invalid, problems);
        (settings.unread, settings.has_dot_env) = (unread, has_dot_env);
        settings.add_tls(global);
        Ok(settings)
    }

    /// The settings in layers, the weakest first; `invalid` are statements of `.env`.
    fn from_layers(layers: &[Layer], invalid: &[String], mut problems: Vec<String>) -> Self {
        let (mut cache, mut services) = (Config::default(), Services::default());
        let (mut pipeline, mut of_pipelines) = (Config::default(), Services::default());
        let (mut all, mut unused) = (Vec::new(), Vec::new());
        let excludes_redis = values(layers, "HTTP_CACHE_STORAGE")
            .first()
            .is_some_and(|storage| storage.value == "sqlite" && matches!(storage.origin, Origin::Flag(_)));
        for name in names() {
            let found = if excludes_redis && name == "REDIS_CACHE_URL" { &mut unused } else { &mut problems };
            let mut given = values(layers, &name);
            let of_pipeline = |given: &&Given| matches!(given.origin, Origin::DotEnv | Origin::Environment);
            if let Some(given) = given.iter().find(of_pipeline) {
                // The pipeline keeps its default if a value is invalid.
                let _ = set(&mut pipeline, &mut of_pipelines, given.name, given.value);
            }
            let is_typed = given.first().is_some_and(|given| is_stronger_than_dot_env(layers, given.origin));
            if !is_typed && invalid.iter().any(|statement| assigns(statement, &name)) {
                found.push(format!("cannot parse {name} in .env: quote the value"));
            }
            if given.is_empty() {
                let value = built_in(&name).to_owned();
                all.push(Setting { name, value, origin: Origin::BuiltIn, overridden: Vec::new() });
                continue;
            }
            let effective = given.remove(0);
            // Of two names of a setting one is set.
            if effective.name == name
                && let Err(error) = set(&mut cache, &mut services, &name, effective.value)
            {
                let problem = Secrets::Masked.text(&error.to_string()).into_owned();
                found.push(format!("{problem} ({})", effective.origin.described()));
            }
            let others = given.into_iter().filter(|other| other.value != effective.value);
            let overridden = others.map(|other| (displayed(&name, other.value), other.origin.clone())).collect();
            let value = displayed(&name, effective.value);
            all.push(Setting { name, value, origin: effective.origin.clone(), overridden });
        }
        let (cache, pipeline) = (services.config(&cache), of_pipelines.config(&pipeline));
        Self { cache, services, pipeline, all, problems, unread: Vec::new(), unused, has_dot_env: false }
    }

    /// The options of TLS, which have no other source but the URL.
    fn add_tls(&mut self, global: &Global) {
        self.cache.redis_tls = global.tls.options();
        let given = global.tls.given();
        if let Some((flag, _)) = given.first()
            && !(self.cache.storage == Storage::Redis && self.cache.redis_url.is_tls())
            && self.problems.is_empty()
        {
            self.problems.push(format!("{flag} requires a Redis URL with TLS: rediss://HOST:PORT/DB"));
        }
        let rows = given.into_iter().map(|(flag, value)| Setting {
            name: flag.to_owned(),
            value: readable(&value),
            origin: Origin::Flag(flag),
            overridden: Vec::new(),
        });
        self.all.extend(rows);
    }

    /// The setting of a name.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.all.iter().find(|setting| setting.name == name)
    }
}

/// One value of a setting.
struct Given<'a> {
    /// The name that it was given by.
    name: &'a str,
    value: &'a OsStr,
    origin: &'a Origin,
}

/// The values of a setting, the strongest first. An empty one counts as unset, as in `${NAME:-default}` of shells.
fn values<'a>(layers: &'a [Layer], name: &str) -> Vec<Given<'a>> {
    let [first, second] = names_of(name);
    let by_name = |name: &str| {
        let given = layers.iter().rev().filter_map(|layer| {
            let (name, value) = layer.values.get_key_value(name)?;
            let is_empty = value.to_str().is_some_and(|value| value.trim().is_empty());
            (!is_empty).then_some(Given { name, value, origin: &layer.origin })
        });
        given.collect::<Vec<_>>()
    };
    let mut given = by_name(first);
    if second != first {
        given.extend(by_name(second));
    }
    given
}

fn is_stronger_than_dot_env(layers: &[Layer], origin: &Origin) -> bool {
    layers.iter().skip_while(|layer| layer.origin != Origin::DotEnv).skip(1).any(|layer| layer.origin == *origin)
}

/// Whether a line of a statement of `.env` begins as an assignment to this name.
fn assigns(statement: &str, name: &str) -> bool {
    statement.lines().any(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("export").map_or(line, str::trim_start);
        line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
    })
}

/// A value without its secrets.
fn displayed(name: &str, value: &OsStr) -> String {
    let value = readable(value);
    match name {
        _ if name.ends_with("_TOKEN") => MASK.to_owned(),
        "REDIS_CACHE_URL" => Secrets::Masked.url(&value).into(),
        _ => Secrets::Masked.text(&value).into(),
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
        "ANIMECACHE_STORE_TIMEOUT" | "ANIMECACHE_STORE_PATIENCE" => "0.5",
        "ANIMECACHE_LARGEST_ENTRY" => "67108864",
        "ANIMECACHE_MEMORY_TTL" | "ANIMECACHE_FIRST_LEVEL" => "0",
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
    let one = |flag, name: &str, value: &OsStr| Layer {
        values: HashMap::from([(name.to_owned(), OsString::from(value))]),
        origin: Origin::Flag(flag),
    };
    let mut layers = Vec::new();
    // A flag with a URL or a file selects its backend, too.
    if let Some(path) = &global.sqlite {
        layers.push(one("--sqlite", "HTTP_CACHE_DIR", path.as_os_str()));
        layers.push(one("--sqlite", "HTTP_CACHE_STORAGE", OsStr::new("sqlite")));
    }
    if let Some(url) = &global.redis {
        layers.push(one("--redis", "REDIS_CACHE_URL", OsStr::new(url)));
        layers.push(one("--redis", "HTTP_CACHE_STORAGE", OsStr::new("redis")));
    }
    if let Some(storage) = &global.storage {
        layers.push(one("--storage", "HTTP_CACHE_STORAGE", OsStr::new(storage)));
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::Storage;

    fn layer(origin: Origin, values: &[(&str, &str)]) -> Layer {
        Layer {
            origin,
            values: values.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(*value))).collect(),
        }
    }

    #[test]
    fn the_built_in_values_are_the_defaults_of_the_cache() {
        let (mut config, mut services) = (Config::default(), Services::default());
        let is_the_services_own =
            |name: &String| name.ends_with("_URL") || name.ends_with("_TOKEN") || name.contains("_LIMIT_");
        for name in names().filter(|name| !is_the_services_own(name)) {
            set(&mut config, &mut services, &name, OsStr::new(built_in(&name))).unwrap();
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
            &[],
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
            Settings::from_layers(&[layer(Origin::DotEnv, &[("HTTP_CACHE_STORAGE", "disk")])], &[], Vec::new());
        assert_eq!(
            settings.problems,
            ["invalid value 'disk' for HTTP_CACHE_STORAGE: expected redis or sqlite (set in .env)"]
        );
    }

    #[test]
    fn an_invalid_statement_counts_unless_a_flag_decides() {
        let invalid = ["export REDIS_CACHE_URL='redis://h".to_owned(), "OTHER='x' y".to_owned()];
        let problems = |layers: &[Layer]| Settings::from_layers(layers, &invalid, Vec::new()).problems;
        let dot_env = || layer(Origin::DotEnv, &[]);
        assert_eq!(problems(&[dot_env()]), ["cannot parse REDIS_CACHE_URL in .env: quote the value"]);
        let weaker = layer(Origin::File("config.toml".into()), &[("REDIS_CACHE_URL", "redis://h")]);
        assert_eq!(problems(&[weaker, dot_env()]).len(), 1);
        let flag = layer(Origin::Flag("--redis"), &[("REDIS_CACHE_URL", "redis://h")]);
        assert!(problems(&[dot_env(), flag]).is_empty());
    }

    #[test]
    fn the_clearer_of_two_names_wins() {
        let of = |values: &[(&str, &str)]| {
            let settings = Settings::from_layers(&[layer(Origin::Environment, values)], &[], Vec::new());
            let shown = |name| settings.get(name).map(|setting| setting.value.clone()).unwrap();
            assert_eq!(shown("ANIMECACHE_STORE_TIMEOUT"), shown("ANIMECACHE_STORE_PATIENCE"));
            settings.cache.store_timeout.as_secs_f64()
        };
        let (new, old) = ("ANIMECACHE_STORE_TIMEOUT", "ANIMECACHE_STORE_PATIENCE");
        for (values, seconds) in
            [(&[][..], 0.5), (&[(old, "2")], 2.0), (&[(new, "3")], 3.0), (&[(old, "2"), (new, "3")], 3.0)]
        {
            assert!((of(values) - seconds).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn other_values_of_weaker_sources_are_kept() {
        let settings = Settings::from_layers(
            &[
                layer(Origin::DotEnv, &[("REDIS_CACHE_URL", "redis://:pw@a/0")]),
                layer(Origin::Environment, &[("REDIS_CACHE_URL", "redis://b")]),
                layer(Origin::Profile("prod".into()), &[("REDIS_CACHE_URL", "redis://b")]),
            ],
            &[],
            Vec::new(),
        );
        let url = settings.get("REDIS_CACHE_URL").unwrap();
        assert_eq!((url.value.as_str(), &url.origin), ("redis://b", &Origin::Profile("prod".into())));
        assert_eq!(url.overridden, [("redis://***@a/0".to_owned(), Origin::DotEnv)]);
        assert_eq!(settings.pipeline.redis_url.to_string(), "redis://b");
    }
}
