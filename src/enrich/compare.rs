//! Comparison of two passes: their data, and the stored bodies byte by byte.

use std::collections::HashMap;

use serde_json::Value;

use crate::enrich::metrics::ResponseDigest;
use crate::enrich::progress::Pass;
use crate::output::columns::clip;
use crate::output::safe;
use cache_core::redact::Secrets;

/// Names of the two passes in messages.
pub(super) type Names = [&'static str; 2];

/// Columns of a value that differs.
const MAX_WIDTH: usize = 60;

/// Two passes, compared.
pub(crate) enum Comparison {
    Same,
    /// The first difference.
    Different(String),
}

/// Compares two passes; `None`: there are not two.
pub(crate) fn compare_passes(cold: &Pass, warm: &Pass, names: Names) -> Option<Comparison> {
    match (cold.outcome()?, warm.outcome()?) {
        (Ok(before), Ok(after)) => {
            let differs = values(before, after, &mut String::from("$"), names);
            let differs = differs.or_else(|| bodies(cold.digests(), warm.digests()));
            Some(differs.map_or(Comparison::Same, Comparison::Different))
        }
        (Ok(_), Err(_)) => Some(Comparison::Different(format!("{} pass failed", names[1]))),
        (Err(_), _) => None,
    }
}

/// The first difference in the order of the first value: its path (`$.episodes[3].title`) and both sides.
fn values(before: &Value, after: &Value, path: &mut String, names: Names) -> Option<String> {
    let length = path.len();
    let mut at = |step: String, before: Option<&Value>, after: Option<&Value>| {
        path.push_str(&step);
        let found = match (before, after) {
            (Some(before), Some(after)) => values(before, after, path, names),
            (before, after) => Some(describe(path, before, after, names)),
        };
        path.truncate(length);
        found
    };
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let gone = one.iter().find_map(|(name, value)| at(step(name), Some(value), other.get(name)));
            gone.or_else(|| {
                let (name, value) = other.iter().find(|(name, _)| !one.contains_key(*name))?;
                at(step(name), None, Some(value))
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            (0..one.len().max(other.len())).find_map(|i| at(format!("[{i}]"), one.get(i), other.get(i)))
        }
        _ if before == after => None,
        _ => Some(describe(path, Some(before), Some(after), names)),
    }
}

/// A member as a step of a path.
fn step(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { format!(".{name}") } else { format!("[{}]", Value::from(name)) }
}

fn describe(path: &str, before: Option<&Value>, after: Option<&Value>, [cold, warm]: Names) -> String {
    let side = |value: Option<&Value>| match value {
        Some(value) => clip(&safe::line(&Secrets::Masked.text(&value.to_string())), MAX_WIDTH).into_owned(),
        None => "(missing)".to_owned(),
    };
    format!("{}: {cold} {}, {warm} {}", safe::line(path), side(before), side(after))
}

/// The first key under which both passes have a body or a result, with different bytes. Of a repeated request, the
/// last body counts.
fn bodies(cold: Vec<ResponseDigest>, warm: Vec<ResponseDigest>) -> Option<String> {
    let warm: HashMap<_, _> = warm.into_iter().map(|digest| (digest.key, digest.sha256)).collect();
    let order: Vec<_> = cold.iter().map(|digest| digest.key.clone()).collect();
    let cold: HashMap<_, _> = cold.into_iter().map(|digest| (digest.key, digest.sha256)).collect();
    let differs = |key: &String| warm.get(key).is_some_and(|after| cold.get(key) != Some(after));
    let key = order.into_iter().find(differs)?;
    Some(format!("body of {} differs", safe::key(key.as_bytes(), Secrets::Masked)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn first(before: &Value, after: &Value) -> Option<String> {
        values(before, after, &mut String::from("$"), ["cold", "warm"])
    }

    #[test]
    fn first_difference_is_described_by_path_and_both_values() {
        let before = json!({"a": [{"b": 1}, {"b": "x\u{1b}[31m"}], "c d": null, "e": {}});
        let with = |path: &str, value: Value| {
            let mut after = before.clone();
            *after.pointer_mut(path).unwrap() = value;
            first(&before, &after).unwrap()
        };
        assert_eq!(first(&before, &before), None);
        assert_eq!(with("/a/1/b", json!(2)), "$.a[1].b: cold \"x\\u001b[31m\", warm 2");
        assert_eq!(with("/c d", json!(0)), "$[\"c d\"]: cold null, warm 0");
        assert_eq!(with("/a", json!([{"b": 1}])), "$.a[1]: cold {\"b\":\"x\\u001b[31m\"}, warm (missing)");
        assert_eq!(with("/e", json!({"\u{202e}": "\u{9b}"})), "$.e[\"\u{fffd}\"]: cold (missing), warm \"\u{fffd}\"");
        let long = with("/e", json!("x".repeat(1_000)));
        assert!(long.len() < 200 && long.contains('…'), "{long}");
        // The order of members means nothing.
        assert_eq!(first(&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 1})), None);
    }

    #[test]
    fn bodies_of_repeated_request_compare_the_last_one() {
        let digest = |key: &str, body: u8| ResponseDigest::new(key.to_owned(), &[body]);
        let cold = vec![digest("a", 9), digest("a", 1), digest("b", 2)];
        let warm = vec![digest("b", 2), digest("a", 1), digest("c", 3)];
        assert_eq!(bodies(cold.clone(), warm), None);
        let warm = vec![digest("a", 1), digest("b", 7)];
        assert_eq!(bodies(cold, warm).unwrap(), "body of b differs");
    }
}
