//! Whether two passes brought the same: what they made of the answers, and the answers to the byte.

use std::collections::HashMap;

use serde_json::Value;

use crate::enrich::metrics::Touched;
use crate::enrich::progress::Lap;
use crate::output::columns::clip;
use crate::output::safe;

/// Columns of a value that differs.
const SHOWN: usize = 60;

/// Two passes, compared.
pub(crate) enum Comparison {
    Same,
    /// Where they differ first.
    Different(String),
}

/// Compares two passes; `None`: there are not two.
pub(crate) fn laps(cold: &Lap, warm: &Lap) -> Option<Comparison> {
    match (cold.outcome()?, warm.outcome()?) {
        (Ok(before), Ok(after)) => {
            let differs = values(before, after, &mut String::from("$"));
            let differs = differs.or_else(|| bodies(cold.touched(), warm.touched()));
            Some(differs.map_or(Comparison::Same, Comparison::Different))
        }
        (Ok(_), Err(_)) => Some(Comparison::Different("the second pass failed".to_owned())),
        (Err(_), _) => None,
    }
}

/// The first difference in the order of the first value: its path (`$.episodes[3].title`) and both sides.
fn values(before: &Value, after: &Value, path: &mut String) -> Option<String> {
    let length = path.len();
    let mut at = |step: String, before: Option<&Value>, after: Option<&Value>| {
        path.push_str(&step);
        let found = match (before, after) {
            (Some(before), Some(after)) => values(before, after, path),
            (before, after) => Some(told(path, before, after)),
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
        _ => Some(told(path, Some(before), Some(after))),
    }
}

/// A member as a path has it.
fn step(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { format!(".{name}") } else { format!("[{}]", Value::from(name)) }
}

fn told(path: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    let side = |value: Option<&Value>| match value {
        Some(value) => clip(&safe::line(&value.to_string()), SHOWN).into_owned(),
        None => "nothing".to_owned(),
    };
    format!("{}: {} fetched, {} cached", safe::line(path), side(before), side(after))
}

/// The first key of which both passes had a body or a result, and not the same to the byte. Where a request was
/// repeated, its last body counts.
fn bodies(cold: Vec<Touched>, warm: Vec<Touched>) -> Option<String> {
    let warm: HashMap<_, _> = warm.into_iter().map(|touched| (touched.key, touched.sha256)).collect();
    let order: Vec<_> = cold.iter().map(|touched| touched.key.clone()).collect();
    let cold: HashMap<_, _> = cold.into_iter().map(|touched| (touched.key, touched.sha256)).collect();
    let differs = |key: &String| warm.get(key).is_some_and(|after| cold.get(key) != Some(after));
    let key = order.into_iter().find(differs)?;
    Some(format!("another body of {}", safe::line(&key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn first(before: &Value, after: &Value) -> Option<String> {
        values(before, after, &mut String::from("$"))
    }

    #[test]
    fn the_first_difference_is_told_by_its_path_with_both_sides() {
        let before = json!({"a": [{"b": 1}, {"b": "x\u{1b}[31m"}], "c d": null, "e": {}});
        let with = |path: &str, value: Value| {
            let mut after = before.clone();
            *after.pointer_mut(path).unwrap() = value;
            first(&before, &after).unwrap()
        };
        assert_eq!(first(&before, &before), None);
        assert_eq!(with("/a/1/b", json!(2)), "$.a[1].b: \"x\\u001b[31m\" fetched, 2 cached");
        assert_eq!(with("/c d", json!(0)), "$[\"c d\"]: null fetched, 0 cached");
        assert_eq!(with("/a", json!([{"b": 1}])), "$.a[1]: {\"b\":\"x\\u001b[31m\"} fetched, nothing cached");
        assert_eq!(
            with("/e", json!({"\u{202e}": "\u{9b}"})),
            "$.e[\"\u{fffd}\"]: nothing fetched, \"\u{fffd}\" cached"
        );
        let long = with("/e", json!("x".repeat(1_000)));
        assert!(long.len() < 200 && long.contains('…'), "{long}");
        // The order of members means nothing.
        assert_eq!(first(&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 1})), None);
    }

    #[test]
    fn bodies_are_compared_by_key_and_the_last_one_counts() {
        let touched = |key: &str, body: u8| Touched::new(key.to_owned(), &[body]);
        let cold = vec![touched("a", 9), touched("a", 1), touched("b", 2)];
        let warm = vec![touched("b", 2), touched("a", 1), touched("c", 3)];
        assert_eq!(bodies(cold.clone(), warm), None);
        let warm = vec![touched("a", 1), touched("b", 7)];
        assert_eq!(bodies(cold, warm).unwrap(), "another body of b");
    }
}
