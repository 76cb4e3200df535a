//! Settings and the source of each: built-in < `config.toml` < `.env` < environment < flags.

pub mod environment;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cache_core::{Config, ServiceName, redact};
use etcetera::BaseStrategy as _;

use crate::cli::Global;
use crate::exit::Refused;
use crate::output::secrets;
use crate::services::Services;
use crate::services::table::{Extension, extend, table};
use crate::settings::environment::{names, set};

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

/// The values of one source.
struct Layer {
    values: HashMap<String, String>,
    origin: Origin,
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
        let files = config_file(global)?;
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
                        let problem = redact(&secrets::field(&error.to_string()));
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
        _ if name.ends_with("_TOKEN") => secrets::MASK.to_owned(),
        "REDIS_CACHE_URL" => redact(value),
        _ => secrets::field(value).into_owned(),
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

/// The values of the configuration file, then those of the chosen profile.
fn config_file(global: &Global) -> anyhow::Result<Vec<Layer>> {
    let Some(path) = config_path(global.config.as_deref()) else {
        return match &global.profile {
            None => Ok(Vec::new()),
            Some(name) => {
                Err(Refused(format!("profile '{name}' not found: no configuration file\nhint: pass --config FILE"))
                    .into())
            }
        };
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| Refused(format!("cannot read configuration file {}", path.display())))?;
    // The parser's message quotes the line, which may hold a password.
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Refused(format!("invalid TOML in {}: {}", path.display(), error.message()))
    })?;
    let mut profiles = match table.remove("profile") {
        None => toml::Table::new(),
        Some(toml::Value::Table(profiles)) => profiles,
        Some(_) => {
            return Err(Refused(format!("{}: 'profile' must be a table ([profile.NAME])", path.display())).into());
        }
    };
    let services = table.remove("service").map(|services| extensions(services, &path)).transpose()?;
    let mut file = layer(table, Origin::File(path.clone()), &path)?;
    for service in services.unwrap_or_default() {
        for (name, value) in as_settings(service) {
            file.values.entry(name).or_insert(value);
        }
    }
    let mut layers = vec![file];
    if let Some(name) = &global.profile {
        let Some(toml::Value::Table(profile)) = profiles.remove(name) else {
            let names: Vec<_> = profiles.keys().map(String::as_str).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Refused(format!("profile '{name}' not found in {}; available: {known}", path.display())).into());
        };
        layers.push(layer(profile, Origin::Profile(name.clone()), &path)?);
    }
    Ok(layers)
}

fn layer(table: toml::Table, origin: Origin, path: &Path) -> anyhow::Result<Layer> {
    let mut values = HashMap::new();
    for (name, value) in table {
        if !names().any(|known| known == name) {
            let near = nearest(&name).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            return Err(Refused(format!("{}: unknown setting '{name}'{near}", path.display())).into());
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => return Err(Refused(format!("{}: {name} must be a single value", path.display())).into()),
        };
        values.insert(name, value);
    }
    Ok(Layer { values, origin })
}

/// The setting with the most similar name: the one that shares the most pairs of characters, if it shares half of them.
fn nearest(name: &str) -> Option<String> {
    let pairs = |name: &str| name.as_bytes().windows(2).map(<[u8]>::to_ascii_uppercase).collect::<HashSet<_>>();
    let given = pairs(name);
    let likeness = |known: &String| {
        let known = pairs(known);
        200 * known.intersection(&given).count() / (known.len() + given.len()).max(1)
    };
    names().map(|known| (likeness(&known), known)).max().filter(|(half, _)| *half >= 50).map(|(_, known)| known)
}

/// Adds the services of the configuration file that these arguments name to the table. Errors of the file are reported
/// by [`Settings::load`], which reads it again.
pub fn extend_services(arguments: &[OsString]) {
    let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
    let mut named = None;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--config") => named = arguments.next().map(PathBuf::from),
            Some(argument) => named = argument.strip_prefix("--config=").map(PathBuf::from).or(named),
            None => {}
        }
    }
    let read = || {
        let path = config_path(named.as_deref())?;
        let mut table: toml::Table = std::fs::read_to_string(&path).ok()?.parse().ok()?;
        extensions(table.remove("service")?, &path).ok()
    };
    extend(read().unwrap_or_default());
}

/// The `[[service]]` entries of a configuration file.
fn extensions(services: toml::Value, path: &Path) -> anyhow::Result<Vec<Extension>> {
    let wrong = |what: &str| Refused(format!("{}: [[service]]: {what}", path.display()));
    let services: Vec<Extension> = services.try_into().map_err(|error: toml::de::Error| wrong(error.message()))?;
    match services.iter().find_map(Extension::problem) {
        Some(problem) => Err(wrong(&problem).into()),
        None => Ok(services),
    }
}

/// The values of a `[[service]]` by the full names of their settings.
fn as_settings(service: Extension) -> impl Iterator<Item = (String, String)> {
    let name = service.name.to_uppercase();
    let values = [
        (format!("ANIMECACHE_TTL_{name}"), service.ttl),
        (format!("ANIMECACHE_POLICY_{name}"), service.policy),
        (format!("ANIMECACHE_LIMIT_{name}"), service.rate_limit),
        (format!("ANIMECACHE_{name}_URL"), service.base_url),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// The configuration file: the named one, else the default one if it exists.
fn config_path(named: Option<&Path>) -> Option<PathBuf> {
    named.map_or_else(|| default_config_file().filter(|path| path.is_file()), |path| Some(path.to_owned()))
}

fn default_config_file() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.config_dir().join("animecache").join("config.toml"))
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
        assert_eq!(shown("REDIS_CACHE_URL"), ("redis://:***@a/1", ".env".into()));
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
    fn a_mistyped_name_is_recognised_and_another_is_not() {
        assert_eq!(nearest("redis_cache_uri").as_deref(), Some("REDIS_CACHE_URL"));
        assert_eq!(nearest("ANIMECACHE_TTL_JIKEN").as_deref(), Some("ANIMECACHE_TTL_JIKAN"));
        assert_eq!(nearest("colour"), None);
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
