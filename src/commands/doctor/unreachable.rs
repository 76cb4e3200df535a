//! Why the cache cannot be opened, with a hint where there is one that helps.

use cache_core::{BackendId, BackendKind, Error, error_chain};

use crate::commands::doctor::command_line::{quoted, redis_cli};
use crate::commands::doctor::report::{Check, Status};
use crate::exit::certificate_advice;

/// The error of opening the cache.
pub(crate) fn check(error: &Error) -> Check {
    let detail = error_chain(error);
    if let Error::Certificate { problem, .. } = error {
        return Check::finding(Status::Fail, "Redis", detail, Some(certificate_advice(*problem).to_owned()));
    }
    match backend(error) {
        Some(BackendId { kind: BackendKind::Redis, location }) => redis(detail, location),
        Some(BackendId { location, .. }) if matches!(error, Error::Missing { .. }) => {
            Check::finding(Status::Fail, "SQLite", format!("{location} does not exist"), None)
        }
        Some(_) => Check::finding(Status::Fail, "SQLite", detail, None),
        None => Check::finding(Status::Fail, "cache", detail, None),
    }
}

fn backend(error: &Error) -> Option<&BackendId> {
    match error {
        Error::Unavailable { backend, .. }
        | Error::Timeout { backend, .. }
        | Error::Refused { backend, .. }
        | Error::Missing { backend } => Some(backend),
        _ => None,
    }
}

fn redis(detail: String, location: &str) -> Check {
    let (why, fix) = redis_hint(&detail, location);
    let detail = if why.is_empty() { detail } else { format!("{detail}: {why}") };
    Check::finding(Status::Fail, "Redis", detail, fix)
}

/// What the error means beyond its text, and a command that helps.
fn redis_hint(detail: &str, location: &str) -> (&'static str, Option<String>) {
    let lower = detail.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let with_scheme = |scheme: &str| {
        let rest = location.split_once("://").map_or(location, |(_, rest)| rest);
        // A masked password cannot be typed as it stands.
        (!rest.contains("***")).then(|| format!("animecache doctor --redis {}", quoted(format!("{scheme}://{rest}"))))
    };
    if says(&["noauth", "wrongpass", "authentication"]) {
        return ("", Some("export REDIS_CACHE_URL=redis://USER:PASSWORD@HOST:6379/0".to_owned()));
    }
    if says(&["loading"]) {
        let see = redis_cli(location, "INFO persistence");
        return ("", Some(format!("wait until Redis has loaded its data; see {see}")));
    }
    if says(&["db index", "switch database"]) {
        return ("the server has fewer databases", None);
    }
    if says(&["masterdown"]) {
        return ("the replica has lost its primary, and serves no old data (replica-serve-stale-data)", None);
    }
    if says(&["sentinel", "cluster"]) {
        return ("", None);
    }
    if says(&["lookup", "resolve", "name or service", "no such host", "nodename"]) {
        return ("the host name does not resolve", None);
    }
    let is_tls = location.starts_with("rediss://");
    if is_tls && says(&["corrupt message", "timed out", "invalidcontenttype", "unexpected eof", "eof"]) {
        return ("the port may not speak TLS", with_scheme("redis"));
    }
    if location.starts_with("redis://") && says(&["reset by peer", "broken pipe", "closed", "unexpected eof"]) {
        return ("the port may speak TLS only", with_scheme("rediss"));
    }
    let is_local =
        ["://localhost", "://127.0.0.1", "@localhost", "@127.0.0.1"].iter().any(|host| location.contains(host));
    if is_local && says(&["refused"]) {
        return ("", Some("docker compose -f assets/compose.yaml up -d redis".to_owned()));
    }
    ("", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_hint() {
        for (detail, location, why, fix) in [
            ("Connection refused", "redis://127.0.0.1:6379/0", "", Some("docker compose")),
            ("Connection refused", "redis://cache.example:6379/0", "", None),
            ("failed to lookup address information", "redis://nowhere.invalid/0", "does not resolve", None),
            ("Connection reset by peer", "redis://h:6380/0", "TLS only", Some("--redis rediss://h:6380/0")),
            ("Connection reset by peer", "redis://:***@h:6380/0", "TLS only", None),
            ("timed out while connecting", "rediss://h:6379/0", "not speak TLS", Some("--redis redis://h:6379/0")),
            ("MASTERDOWN Link with MASTER is down", "redis://h/0", "lost its primary", None),
            ("it is a Sentinel and has no keys", "redis://h/0", "", None),
            ("NOAUTH Authentication required.", "redis://h/0", "", Some("PASSWORD")),
            ("out of range: DB index", "redis://h/99", "fewer databases", None),
        ] {
            let (said, hint) = redis_hint(detail, location);
            assert!(said.contains(why), "{detail}: {said}");
            assert_eq!(hint.is_some(), fix.is_some(), "{detail}: {hint:?}");
            assert!(hint.unwrap_or_default().contains(fix.unwrap_or_default()), "{detail}");
        }
    }
}
