//! `${NAME}` and `${NAME:-default}` in values. A `$` that begins neither stays.

use std::ffi::{OsStr, OsString};

/// A value with its variables replaced; an unknown one without a default is empty.
pub(super) fn expand(value: &str, lookup: impl Fn(&str) -> Option<OsString>) -> OsString {
    let mut out = OsString::new();
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        let Some((name, default, after)) = variable(&rest[at + 2..]) else {
            out.push(&rest[..at + 2]);
            rest = &rest[at + 2..];
            continue;
        };
        out.push(&rest[..at]);
        match lookup(name) {
            Some(value) => out.push(value),
            None => out.push(OsStr::new(default.unwrap_or_default())),
        }
        rest = after;
    }
    out.push(rest);
    out
}

/// The name, the default and what follows the variable that begins before `text`.
fn variable(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = text.find(['}', ':'])?;
    let (name, rest) = text.split_at(end);
    if let Some(after) = rest.strip_prefix('}') {
        return Some((name, None, after));
    }
    let (default, after) = rest.strip_prefix(":-")?.split_once('}')?;
    Some((name, Some(default), after))
}
