//! The configuration file: settings, profiles and services. It is read once, before the command line is parsed, since
//! options take the names of its services.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use crate::services::table::{Extension, extend};
use crate::settings::environment::names;
use crate::settings::layer::{Layer, Origin};

/// Larger files are not read.
const MAX_FILE: u64 = 1 << 20;

/// The configuration file.
pub struct ConfigFile {
    /// The value of `--config`.
    named: Option<PathBuf>,
    /// The file and its content; `None`: there is none.
    content: Option<(PathBuf, Result<toml::Table, String>)>,
}

/// The settings of a configuration file.
#[derive(Default)]
pub(crate) struct FileLayers {
    /// Those outside of profiles.
    pub(crate) file: Option<Layer>,
    /// Those of the chosen profile.
    pub(crate) profile: Option<Layer>,
}

impl ConfigFile {
    /// Reads the file that these arguments name, else the default one if it exists.
    pub fn of_command_line(arguments: &[OsString]) -> Self {
        let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
        let mut named = None;
        while let Some(argument) = arguments.next() {
            if argument == "--config" {
                named = arguments.next().map(PathBuf::from);
            } else if let Some(path) = argument.to_str().and_then(|argument| argument.strip_prefix("--config=")) {
                named = Some(PathBuf::from(path));
            }
        }
        Self::read(named)
    }

    /// Reads the named file, else the default one if it exists.
    pub(crate) fn read(named: Option<PathBuf>) -> Self {
        let path = named.clone().or_else(|| default_path().filter(|path| path.exists()));
        let content = path.map(|path| {
            let table = table(&path, named.is_some());
            (path, table)
        });
        Self { named, content }
    }

    /// Whether it is the file of this `--config`.
    pub(crate) fn is_of(&self, named: Option<&Path>) -> bool {
        self.named.as_deref() == named
    }

    /// Whether it is named by `--config`.
    pub(crate) fn is_named(&self) -> bool {
        self.named.is_some()
    }

    /// Adds its services to the table. `layers` reports what is invalid.
    pub fn extend_services(&self) {
        let services = || {
            let (path, table) = self.content.as_ref()?;
            extensions(table.as_ref().ok()?.get("service")?.clone(), path).ok()
        };
        extend(services().unwrap_or_default());
    }

    /// Its settings.
    pub(crate) fn layers(&self, profile: Option<&str>) -> Result<FileLayers, String> {
        let Some((path, table)) = &self.content else {
            return match profile {
                None => Ok(FileLayers::default()),
                Some(name) => {
                    Err(format!("profile '{name}' not found: no configuration file\nhint: pass --config FILE"))
                }
            };
        };
        let mut table = table.clone()?;
        let mut profiles = match table.remove("profile") {
            None => toml::Table::new(),
            Some(toml::Value::Table(profiles)) => profiles,
            Some(_) => return Err(format!("{}: 'profile' must be a table ([profile.NAME])", path.display())),
        };
        let services = table.remove("service").map(|services| extensions(services, path)).transpose()?;
        let mut file = layer(table, Origin::File(path.clone()), path)?;
        for service in services.unwrap_or_default() {
            for (name, value) in as_settings(service) {
                file.values.entry(name).or_insert(value.into());
            }
        }
        let Some(name) = profile else { return Ok(FileLayers { file: Some(file), profile: None }) };
        let Some(toml::Value::Table(chosen)) = profiles.remove(name) else {
            let names: Vec<_> = profiles.keys().map(String::as_str).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(format!("profile '{name}' not found in {}; available: {known}", path.display()));
        };
        let profile = Some(layer(chosen, Origin::Profile(name.to_owned()), path)?);
        Ok(FileLayers { file: Some(file), profile })
    }
}

/// The content of a file.
fn table(path: &Path, is_named: bool) -> Result<toml::Table, String> {
    let text =
        text(path, is_named).map_err(|error| format!("cannot read configuration file {}: {error}", path.display()))?;
    // The parser's message quotes the line, which may hold a password.
    text.parse().map_err(|error: toml::de::Error| format!("invalid TOML in {}: {}", path.display(), error.message()))
}

/// The text of a file. A named one may be a pipe, as in `--config <(…)`; another kind than a file would be a mistake.
fn text(path: &Path, is_named: bool) -> io::Result<String> {
    if !is_named && !path.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    String::from_utf8(text).map_err(|_| io::Error::other("not UTF-8"))
}

fn layer(table: toml::Table, origin: Origin, path: &Path) -> Result<Layer, String> {
    let mut values = HashMap::new();
    for (name, value) in table {
        if !names().any(|known| known == name) {
            let near = nearest(&name).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            return Err(format!("{}: unknown setting '{name}'{near}", path.display()));
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => return Err(format!("{}: {name} must be a single value", path.display())),
        };
        values.insert(name, value.into());
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

/// The `[[service]]` entries of a configuration file.
fn extensions(services: toml::Value, path: &Path) -> Result<Vec<Extension>, String> {
    let wrong = |what: &str| format!("{}: [[service]]: {what}", path.display());
    let services: Vec<Extension> = services.try_into().map_err(|error: toml::de::Error| wrong(error.message()))?;
    match services.iter().find_map(Extension::problem) {
        Some(problem) => Err(wrong(&problem)),
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

fn default_path() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(strategy.config_dir().join("animecache").join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_recognised_and_another_is_not() {
        assert_eq!(nearest("redis_cache_uri").as_deref(), Some("REDIS_CACHE_URL"));
        assert_eq!(nearest("ANIMECACHE_TTL_JIKEN").as_deref(), Some("ANIMECACHE_TTL_JIKAN"));
        assert_eq!(nearest("colour"), None);
    }
}
