//! Parsing keyspace notifications, and the server's setting that enables them.

use std::collections::BTreeSet;

use redis::{RedisResult, cmd};

use crate::error::{Error, Result};
use crate::model::event::EventKind;
use crate::model::key::{HTTP_PREFIX, RESULT_PREFIX};
use crate::store::redis::connection::Connection;
use crate::store::redis::events::signal::{Command, Signal};
use crate::store::redis::reply;

/// The name of the server's setting.
const SETTING: &str = "notify-keyspace-events";

/// The event classes that a watch needs: by key (`K`), generic (`g`), hashes, strings, sets and sorted sets, expired,
/// evicted, and missed ones, which are in no other class.
const NEEDED: &str = "Kgh$szxem";

/// The classes that `A` stands for in the setting.
const ALL_CLASSES: &str = "g$lshztdxe";

/// The channel patterns of the caches' keys. Bodies are left out: a long one causes one notification for each chunk.
pub(crate) fn patterns(database: i64) -> Vec<String> {
    ["entry", "key_index", "idx", "stream_done"]
        .map(|part| format!("{HTTP_PREFIX}:{part}"))
        .into_iter()
        .chain([RESULT_PREFIX.to_owned()])
        .map(|keys| format!("{}{keys}:*", channel(database)))
        .collect()
}

fn channel(database: i64) -> String {
    format!("__keyspace@{database}__:")
}

/// The signal in a notification.
pub(crate) fn signal(channel: &[u8], event: &[u8]) -> Option<Signal> {
    // The key may contain anything, the name of the channel before it no colon.
    let key = channel.iter().position(|byte| *byte == b':').map(|at| &channel[at + 1..])?;
    let command = match event {
        b"keymiss" => Command::Missed,
        b"hset" | b"set" | b"restore" | b"copy_to" | b"rename_to" => Command::Written,
        b"sadd" | b"zadd" => Command::Joined,
        b"srem" | b"zrem" => Command::Left,
        b"expire" | b"persist" => Command::TtlSet,
        b"expired" => Command::Removed(EventKind::Expire),
        b"evicted" => Command::Removed(EventKind::Evict),
        b"del" | b"rename_from" => Command::Removed(EventKind::Remove),
        _ => return None,
    };
    Signal::from_command(key, command)
}

/// The server's setting while a watch runs. Dropping it restores the previous value.
pub(crate) struct Setting {
    connection: Connection,
    enables: bool,
    /// The previous value and the new one.
    changed: Option<(String, String)>,
}

impl Setting {
    /// Enables notifications if necessary, or fails with the missing classes.
    pub(crate) async fn take(connection: &Connection, enables: bool) -> Result<Self> {
        let mut setting = Self { connection: connection.clone(), enables, changed: None };
        setting.check().await?;
        Ok(setting)
    }

    /// Enables notifications again: a restart of the server, or the end of another watch, may have turned them off.
    /// Returns whether they were off.
    pub(crate) async fn check(&mut self) -> Result<bool> {
        let now = self.read().await?;
        let missing = missing(&now);
        if missing.is_empty() {
            return Ok(false);
        }
        if !self.enables {
            return Err(Error::NotificationsOff { backend: self.connection.backend().clone(), missing });
        }
        let wanted = format!("{now}{missing}");
        // From here on there is a setting to restore, whatever the reply.
        self.changed = Some((now, wanted.clone()));
        self.connection.query("CONFIG SET", cmd("CONFIG").arg("SET").arg(SETTING).arg(wanted)).await?;
        // The server writes the classes in its own order.
        let during = self.read().await?;
        if let Some((_, set)) = &mut self.changed {
            *set = during;
        }
        Ok(true)
    }

    /// The server's setting before the change, and now.
    pub(crate) fn changed(&self) -> Option<(&str, &str)> {
        self.changed.as_ref().map(|(before, during)| (&**before, &**during))
    }

    async fn read(&self) -> Result<String> {
        let answer = self.connection.query("CONFIG GET", cmd("CONFIG").arg("GET").arg(SETTING)).await?;
        let value = reply::strings(answer).into_iter().nth(1).unwrap_or_default();
        Ok(String::from_utf8_lossy(&value).into_owned())
    }

    /// Restores the setting, unless another client has changed it since. Blocks, over a separate connection.
    pub(crate) fn put_back(&mut self) -> Result<()> {
        let Some((before, during)) = self.changed.take() else { return Ok(()) };
        let put_back = || -> RedisResult<()> {
            let mut connection = self.connection.blocking()?;
            let (_, now): (String, String) = cmd("CONFIG").arg("GET").arg(SETTING).query(&mut connection)?;
            if classes(&now) == classes(&during) {
                cmd("CONFIG").arg("SET").arg(SETTING).arg(&before).exec(&mut connection)?;
            }
            Ok(())
        };
        put_back().map_err(|error| self.connection.explain("restoring notify-keyspace-events", error))
    }
}

impl Drop for Setting {
    /// For a watch that was not closed: it was canceled, or its task panicked.
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            tracing::warn!(%error, "could not restore notify-keyspace-events");
        }
    }
}

/// The classes that are on. The server returns them in any order, and many of them as `A`.
fn classes(setting: &str) -> BTreeSet<char> {
    let all = if setting.contains('A') { ALL_CLASSES } else { "" };
    setting.chars().chain(all.chars()).filter(|class| *class != 'A').collect()
}

/// The needed classes that are off.
fn missing(setting: &str) -> String {
    let on = classes(setting);
    NEEDED.chars().filter(|class| !on.contains(class)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "Kgh$szxem")]
    #[case("AKE", "m")]
    #[case("AKEm", "")]
    #[case("g$shzxeKm", "")]
    #[case("Ex", "Kgh$szem")]
    fn missing_classes_are_named(#[case] setting: &str, #[case] expected: &str) {
        assert_eq!(missing(setting), expected);
    }

    #[test]
    fn settings_compare_by_classes() {
        assert_eq!(classes("Kgh$szxem"), classes("g$szhxeKm"));
        assert_eq!(classes("KEA"), classes("g$lshztdxeKE"));
        assert_ne!(classes("KEA"), classes("KEAm"));
    }

    #[test]
    fn a_notification_is_read_for_any_key_bytes() {
        let key = b"result_cache:x:\xff:\x1b[31m";
        let channel = [b"__keyspace@12__:", &key[..]].concat();
        assert_eq!(signal(&channel, b"keymiss"), Some(Signal::ResultMissed((&key[..]).into())));
        assert_eq!(signal(&channel, b"lpush"), None);
        assert_eq!(signal(b"__keyspace@12__:other", b"keymiss"), None);
        assert_eq!(signal(b"", b""), None);
    }
}
