//! Global flags for suggested commands, so that they act on the same cache.

use cache_core::redact::{MASK, Secrets};

use crate::cli::Global;

/// The flags of every suggested command.
pub(crate) struct CommandLine {
    /// Before the command: a variable for a URL with a password.
    before: Option<String>,
    /// After `animecache`.
    flags: String,
}

impl CommandLine {
    pub(crate) fn new(global: &Global) -> Self {
        let mut line = Self { before: None, flags: String::new() };
        if global.demo {
            line.flags.push_str(" --demo");
        }
        let mut storage = global.storage.as_deref();
        if let Some(url) = &global.redis {
            let shown = Secrets::Masked.url(url);
            if *shown == **url {
                line.add("--redis", url);
            } else {
                // A password must not appear on the screen or in the list of processes.
                line.before =
                    Some(format!("export REDIS_CACHE_URL={} && ", quoted(&shown).replace(MASK, "USER:PASSWORD")));
                storage = storage.or(Some("redis"));
            }
        }
        if let Some(path) = &global.sqlite {
            line.add("--sqlite", &path.to_string_lossy());
        }
        if let Some(path) = &global.config {
            line.add("--config", &path.to_string_lossy());
        }
        for (flag, value) in [("--storage", storage), ("--profile", global.profile.as_deref())] {
            if let Some(value) = value {
                line.add(flag, value);
            }
        }
        line
    }

    fn add(&mut self, flag: &str, value: &str) {
        self.flags.extend([" ", flag, " ", &quoted(value)]);
    }

    /// Adds the flags to each `animecache` of a hint, unless it selects another cache.
    pub(crate) fn complete(&self, advice: &str) -> String {
        if !advice.starts_with("animecache ") || advice.contains("--sqlite") {
            return advice.to_owned();
        }
        let completed = advice.replace("animecache ", &format!("animecache{} ", self.flags));
        format!("{}{completed}", self.before.as_deref().unwrap_or_default())
    }
}

/// A command of `redis-cli` for the server at this URL. A masked password cannot be typed: then the variable is used.
pub(crate) fn redis_cli(location: &str, command: &str) -> String {
    let url = if location.contains(MASK) { "\"$REDIS_CACHE_URL\"".to_owned() } else { quoted(location) };
    format!("redis-cli -u {url} {command}")
}

/// A word, quoted for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_commands_repeat_flags_without_password() {
        let again = |global: &Global| CommandLine::new(global).complete("animecache ls && animecache flush");
        assert_eq!(again(&Global::default()), "animecache ls && animecache flush");
        let global = Global { redis: Some("redis://h/5".into()), profile: Some("it's".into()), ..Global::default() };
        assert_eq!(
            again(&global),
            r"animecache --redis redis://h/5 --profile 'it'\''s' ls && animecache --redis redis://h/5 --profile 'it'\''s' flush"
        );
        let global = Global { redis: Some("redis://:pw@h/5".into()), ..Global::default() };
        assert_eq!(
            CommandLine::new(&global).complete("animecache ls"),
            "export REDIS_CACHE_URL='redis://USER:PASSWORD@h/5' && animecache --storage redis ls"
        );
    }
}
