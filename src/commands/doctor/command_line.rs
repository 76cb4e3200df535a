//! The flags that name the cache, as they are to be typed again: what is advised must act on the cache that was looked
//! at.

use cache_core::without_secrets;

use crate::cli::Global;
use crate::output::secrets;

/// What every command that is advised needs.
pub(crate) struct Again {
    /// In front of the command: what cannot be typed again as it was given.
    before: Option<String>,
    /// Behind `animecache`.
    flags: String,
}

impl Again {
    pub(crate) fn of(global: &Global) -> Self {
        let mut again = Self { before: None, flags: String::new() };
        if global.demo {
            again.flags.push_str(" --demo");
        }
        let mut storage = global.storage.as_deref();
        if let Some(url) = &global.redis {
            let shown = without_secrets(url);
            if shown == *url {
                again.add("--redis", url);
            } else {
                // A password belongs neither on a screen nor into the list of processes.
                again.before =
                    Some(format!("export REDIS_CACHE_URL={} && ", quoted(&shown).replace(secrets::MASK, "PASSWORD")));
                storage = storage.or(Some("redis"));
            }
        }
        if let Some(path) = &global.sqlite {
            again.add("--sqlite", &path.to_string_lossy());
        }
        if let Some(path) = &global.config {
            again.add("--config", &path.to_string_lossy());
        }
        for (flag, value) in [("--storage", storage), ("--profile", global.profile.as_deref())] {
            if let Some(value) = value {
                again.add(flag, value);
            }
        }
        again
    }

    fn add(&mut self, flag: &str, value: &str) {
        self.flags.extend([" ", flag, " ", &quoted(value)]);
    }

    /// An advice in which each `animecache` is told the cache, unless it is told another one.
    pub(crate) fn told(&self, advice: &str) -> String {
        if !advice.starts_with("animecache ") || advice.contains("--sqlite") {
            return advice.to_owned();
        }
        let told = advice.replace("animecache ", &format!("animecache{} ", self.flags));
        format!("{}{told}", self.before.as_deref().unwrap_or_default())
    }
}

/// A word as a shell reads it.
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
    fn what_was_given_is_told_again_and_no_password() {
        let again = |global: &Global| Again::of(global).told("animecache ls && animecache flush");
        assert_eq!(again(&Global::default()), "animecache ls && animecache flush");
        let global = Global { redis: Some("redis://h/5".into()), profile: Some("it's".into()), ..Global::default() };
        assert_eq!(
            again(&global),
            r"animecache --redis redis://h/5 --profile 'it'\''s' ls && animecache --redis redis://h/5 --profile 'it'\''s' flush"
        );
        let global = Global { redis: Some("redis://:pw@h/5".into()), ..Global::default() };
        assert_eq!(
            Again::of(&global).told("animecache ls"),
            "export REDIS_CACHE_URL='redis://:PASSWORD@h/5' && animecache --storage redis ls"
        );
    }
}
