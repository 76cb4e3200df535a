//! Global flags for suggested commands, so that they act on the same cache, and words for a shell.

use std::ffi::OsStr;
use std::fmt::Write as _;

use cache_core::redact::{MASK, Secrets};

use crate::cli::Global;

/// Reads a URL with a password from the keyboard: one on the screen, or in the list of processes, would be seen.
pub(crate) const READ_URL: &str = "read -r REDIS_CACHE_URL && export REDIS_CACHE_URL";

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
            if *Secrets::Masked.url(url) == **url {
                line.add("--redis", OsStr::new(url));
            } else {
                line.before = Some(format!("{READ_URL} && "));
                storage = storage.or(Some("redis"));
            }
        }
        if let Some(path) = &global.sqlite {
            line.add("--sqlite", path.as_os_str());
        }
        if let Some(path) = &global.config {
            line.add("--config", path.as_os_str());
        }
        for (flag, value) in [("--storage", storage), ("--profile", global.profile.as_deref())] {
            if let Some(value) = value {
                line.add(flag, OsStr::new(value));
            }
        }
        for (flag, value) in global.tls.given() {
            match flag {
                "--insecure" => line.flags.extend([" ", flag]),
                _ => line.add(flag, &value),
            }
        }
        line
    }

    fn add(&mut self, flag: &str, value: &OsStr) {
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
pub(crate) fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(byte);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.as_bytes().iter().all(is_plain) => text.to_owned(),
        Some(text) if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        // Every shell has `printf`; `$'…'` has not reached all of them.
        _ => {
            let mut quoted = String::from("\"$(printf '");
            for byte in word.as_encoded_bytes() {
                match byte {
                    b'%' => quoted.push_str("%%"),
                    b' '..=b'~' if !b"'\\".contains(byte) => quoted.push(char::from(*byte)),
                    // Writing to a String cannot fail.
                    _ => drop(write!(quoted, "\\{byte:03o}")),
                }
            }
            quoted.push_str("')\"");
            quoted
        }
    }
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
        let mut global = Global { redis: Some("rediss://:pw@h/5".into()), ..Global::default() };
        global.tls.cacert = Some("my ca.crt".into());
        global.tls.insecure = true;
        assert_eq!(
            CommandLine::new(&global).complete("animecache ls"),
            "read -r REDIS_CACHE_URL && export REDIS_CACHE_URL && \
             animecache --storage redis --cacert 'my ca.crt' --insecure ls"
        );
    }

    #[test]
    #[cfg(unix)]
    fn every_word_comes_out_of_a_shell_as_it_went_in() {
        use std::os::unix::ffi::OsStrExt as _;
        for word in [&b"caf\xe9"[..], b"", b"a b", b"it's", b"100%\xff'\\$x", b"two\nlines", b"$(x)`y`\"z\""] {
            let script = format!("printf %s {}", quoted(OsStr::from_bytes(word)));
            let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(said.stdout, word, "{script}");
        }
    }
}
