//! The configuration file: settings, profiles and services.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use etcetera::BaseStrategy as _;

use crate::cli::Global;
use crate::exit::Refused;
use crate::services::table::{Extension, extend};
use crate::settings::environment::names;
use crate::settings::layer::{Layer, Origin};

/// The values of the configuration file, then those of the chosen profile.
pub(crate) fn read(global: &Global) -> anyhow::Result<Vec<Layer>> {
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
/// by `read`, which reads it again.
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

    #[test]
    fn a_mistyped_name_is_recognised_and_another_is_not() {
        assert_eq!(nearest("redis_cache_uri").as_deref(), Some("REDIS_CACHE_URL"));
        assert_eq!(nearest("ANIMECACHE_TTL_JIKEN").as_deref(), Some("ANIMECACHE_TTL_JIKAN"));
        assert_eq!(nearest("colour"), None);
    }
}
