//! Parsing the lines of `MONITOR` into signals. Values are ignored: a line is read up to the end of its keys.

use crate::model::event::EventKind;
use crate::store::redis::events::signal::{Command, Signal};

/// The effect of a command on its keys, and how many of its arguments are keys.
fn command(command: &[u8]) -> Option<(Command, usize)> {
    let mut name = [0; 16];
    let name = name.get_mut(..command.len())?;
    name.copy_from_slice(command);
    name.make_ascii_uppercase();
    Some(match &*name {
        b"SMEMBERS" | b"ZRANGE" | b"ZRANGEBYSCORE" | b"ZREVRANGE" | b"ZREVRANGEBYSCORE" | b"GET" | b"GETEX"
        | b"GETRANGE" | b"HGET" | b"HMGET" | b"HGETALL" => (Command::Read, 1),
        b"MGET" => (Command::Read, usize::MAX),
        b"SET" | b"SETEX" | b"PSETEX" | b"SETNX" | b"HSET" | b"HMSET" | b"HSETNX" | b"RESTORE" => (Command::Written, 1),
        b"SADD" | b"ZADD" => (Command::Joined, 1),
        b"SREM" | b"ZREM" => (Command::Left, 1),
        b"EXPIRE" | b"PEXPIRE" | b"EXPIREAT" | b"PEXPIREAT" | b"PERSIST" => (Command::TtlSet, 1),
        b"DEL" | b"UNLINK" => (Command::Removed(EventKind::Remove), usize::MAX),
        _ => return None,
    })
}

/// The signals in a line such as `1795395939.519725 [0 127.0.0.1:48572] "smembers" "hishel_cache:key_index:6b"`.
/// Commands from the address `own` are ignored: the watch itself reads entries.
pub(crate) fn signals(line: &[u8], database: i64, own: Option<&[u8]>) -> Vec<Signal> {
    let read = || {
        let open = line.iter().position(|byte| *byte == b'[')?;
        let rest = &line[open + 1..];
        let of = rest.iter().position(|byte| *byte == b' ').map(|at| &rest[..at])?;
        if of != database.to_string().as_bytes() {
            return None;
        }
        // The path of a socket may hold brackets and blanks, but the command comes in quotes.
        let close = rest.windows(3).position(|part| part == b"] \"")?;
        if own.is_some_and(|own| rest[of.len()..close].trim_ascii() == own) {
            return None;
        }
        let mut arguments = CommandArguments(&rest[close + 2..]);
        let (deed, keys) = command(&arguments.next()?)?;
        Some(arguments.take(keys).filter_map(|key| Signal::from_command(&key, deed)).collect())
    };
    read().unwrap_or_default()
}

/// The arguments of a command as `MONITOR` quotes them.
struct CommandArguments<'a>(&'a [u8]);

impl Iterator for CommandArguments<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut rest = self.0.trim_ascii_start().strip_prefix(b"\"")?;
        let mut argument = Vec::new();
        loop {
            let (byte, tail) = match rest {
                [b'"', tail @ ..] => {
                    self.0 = tail;
                    return Some(argument);
                }
                [b'\\', b'x', high, low, tail @ ..] => {
                    let digit = |digit: u8| char::from(digit).to_digit(16);
                    (u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?, tail)
                }
                [b'\\', escaped, tail @ ..] => {
                    let byte = match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'a' => 7,
                        b'b' => 8,
                        other => *other,
                    };
                    (byte, tail)
                }
                [byte, tail @ ..] => (*byte, tail),
                [] => return None,
            };
            argument.push(byte);
            rest = tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::StorageLayout;
    use crate::model::key::CacheKey;
    use proptest::prelude::*;

    fn of(line: &str) -> Vec<Signal> {
        signals(line.as_bytes(), 0, None)
    }

    #[test]
    fn commands_on_cache_keys_are_signals() {
        let index = [Signal::IndexRead(StorageLayout::Pipeline, CacheKey::new(*b"k"))];
        for client in ["127.0.0.1:48572", "lua", r#"unix:/run/a] b"c.sock"#] {
            assert_eq!(of(&format!(r#"1795395939.5 [0 {client}] "smembers" "hishel_cache:key_index:6b""#)), index);
        }
        assert_eq!(
            of(r#"1.0 [0 h:1] "setex" "result_cache:a:\"\x1b\n" "60" "[1]""#),
            [Signal::ResultWritten((&b"result_cache:a:\"\x1b\n"[..]).into())]
        );
        assert_eq!(of(r#"1.0 [0 h:1] "del" "result_cache:a" "other" "result_cache:b""#).len(), 2);
    }

    #[test]
    fn other_lines_are_no_signals() {
        for line in [
            r#"1.0 [1 h:1] "get" "result_cache:of another database""#,
            r#"1.0 [0 h:1] "auth" "result_cache:secret""#,
            r#"1.0 [0 h:1] "hello" "3" "auth" "me" "secret""#,
            r#"1.0 [0 h:1] "set" "other" "result_cache:in a value""#,
            r#"1.0 [0 h:1] "get" "result_cache:cut off"#,
            r#"1.0 [0 h:1] "get" "result_cache:\x"#,
            r#"1.0 [0 h:1] "averyveryverylongcommand" "result_cache:a""#,
            "OK",
            "",
        ] {
            assert_eq!(of(line), [], "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in any::<Vec<u8>>(), tail in r#"[\[\] "\\x0-9a-f]{0,40}"#) {
            signals(&line, 0, None);
            signals(format!("1.0 [0 h:1] \"get\" \"result_cache:{tail}").as_bytes(), 0, None);
        }
    }
}
