//! Python's way of writing values, where keys depend on it to the byte.
//!
//! `str()` of floats and bools, and `json.dumps` with the two sets of options that the pipeline uses.

use std::fmt::Write as _;

use serde_json::Value;

/// Options of `json.dumps`; keys are always sorted.
#[derive(Clone, Copy)]
pub(crate) struct Dumps {
    /// `ensure_ascii`: write every non-ASCII character as `\uXXXX`.
    pub(crate) ascii: bool,
    /// `separators`: `,` and `:` instead of `, ` and `: `.
    pub(crate) compact: bool,
}

/// `str(number)` of a Python float.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = mantissa_and_exponent(&shortest);
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    // Both print the fewest digits that read back as the same number. Where two such numbers are equally near, Python
    // takes the even one; Rust does so only where it is told how many digits to print.
    if (-4..16).contains(&exponent) {
        let places = decimals.saturating_add_signed(-exponent).max(1);
        return format!("{number:.places$}");
    }
    let nearest = format!("{number:.decimals$e}");
    // Beside a power of two the nearest of so many digits may already read back as the neighbour.
    let (digits, exponent) = mantissa_and_exponent(if nearest.parse() == Ok(number) { &nearest } else { &shortest });
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn mantissa_and_exponent(scientific: &str) -> (&str, isize) {
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (digits, exponent.parse().unwrap_or(0))
}

/// `str(flag)` of a Python bool.
pub(crate) fn boolean(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// `str(number)` of a Python int or float, read from JSON.
pub(crate) fn number(number: &serde_json::Number) -> String {
    if number.is_f64() { float(number.as_f64().unwrap_or(f64::NAN)) } else { number.to_string() }
}

/// `json.dumps(value, sort_keys=True, …)`.
pub(crate) fn dumps(value: &Value, how: Dumps) -> String {
    let mut out = String::new();
    write_value(&mut out, value, how);
    out
}

fn write_value(out: &mut String, value: &Value, how: Dumps) {
    let (comma, colon) = if how.compact { (",", ":") } else { (", ", ": ") };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&number(n)),
        Value::String(text) => write_string(out, text, how),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                write_value(out, item, how);
            }
            out.push(']');
        }
        Value::Object(map) => {
            // Python compares strings by code point, which is the order of their UTF-8 bytes.
            let mut members: Vec<_> = map.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (i, (name, member)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(comma);
                }
                write_string(out, name, how);
                out.push_str(colon);
                write_value(out, member, how);
            }
            out.push('}');
        }
    }
}

fn write_string(out: &mut String, text: &str, how: Dumps) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (how.ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        // Each right side was printed by `str(...)` of Python 3.
        for (value, text) in [
            (2.0, "2.0"),
            (-0.0, "-0.0"),
            (1e22, "1e+22"),
            (1e-7, "1e-07"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (123_456_789.125, "123456789.125"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (0.1 + 0.2, "0.30000000000000004"),
            // Really …720.25 and …437.25.
            (998_135_425_545_720.3, "998135425545720.2"),
            (-811_938_075_902_437.3, "-811938075902437.2"),
            (-0.1, "-0.1"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (2_f64.powi(-44), "5.684341886080802e-14"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        let value = serde_json::json!({"b": [1, 2.0, 1e22, null], "a": "é\u{7f}😀\n\"", "é": true});
        assert_eq!(
            dumps(&value, Dumps { ascii: true, compact: false }),
            r#"{"a": "\u00e9\u007f\ud83d\ude00\n\"", "b": [1, 2.0, 1e+22, null], "\u00e9": true}"#
        );
        assert_eq!(
            dumps(&value, Dumps { ascii: false, compact: true }),
            "{\"a\":\"é\u{7f}😀\\n\\\"\",\"b\":[1,2.0,1e+22,null],\"é\":true}"
        );
    }
}
