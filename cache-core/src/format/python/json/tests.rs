//! Writes of each kind, as Python writes them.

use std::collections::BTreeMap;

use serde_json::json;

use crate::format::python::json::*;

const KEY: JsonStyle = JsonStyle { ascii: true, compact: false, sorted: true };

const VALUE: JsonStyle = JsonStyle { ascii: false, compact: false, sorted: false };

const COMPACT: JsonStyle = JsonStyle { ascii: false, compact: true, sorted: true };

fn written(value: &impl Serialize, how: JsonStyle) -> String {
    dumps(value, how).unwrap().0
}

#[test]
fn json_equals_python_json_dumps() {
    let value = json!({"b": [1, 2.0, 1e22, null], "a": "é\u{7f}😀\n\"", "é": true});
    assert_eq!(
        written(&value, KEY),
        r#"{"a": "\u00e9\u007f\ud83d\ude00\n\"", "b": [1, 2.0, 1e+22, null], "\u00e9": true}"#
    );
    assert_eq!(written(&value, COMPACT), "{\"a\":\"é\u{7f}😀\\n\\\"\",\"b\":[1,2.0,1e+22,null],\"é\":true}");
    assert_eq!(written(&value, VALUE), "{\"b\": [1, 2.0, 1e+22, null], \"a\": \"é\u{7f}😀\\n\\\"\", \"é\": true}");
}

#[test]
fn empty_lists_and_mappings_have_no_spaces() {
    assert_eq!(written(&json!([[], {}, ""]), VALUE), r#"[[], {}, ""]"#);
}

#[test]
fn infinities_are_written() {
    assert_eq!(written(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY], VALUE), "[NaN, Infinity, -Infinity]");
    assert_eq!(plain(&f64::NEG_INFINITY, KEY).unwrap().0, "-inf");
}

#[test]
fn short_float_keeps_its_digits() {
    assert_eq!(written(&[0.1_f32, 1e20, f32::INFINITY], VALUE), "[0.1, 1e+20, Infinity]");
}

#[test]
fn names_are_sorted_by_kind() {
    assert_eq!(written(&BTreeMap::from([(10, "b"), (9, "a")]), KEY), r#"{"9": "a", "10": "b"}"#);
    assert_eq!(written(&BTreeMap::from([("10", 1), ("9", 2)]), KEY), r#"{"10": 1, "9": 2}"#);
    assert_eq!(
        dumps(&BTreeMap::from([((1, 2), 3)]), KEY).err().unwrap().to_string(),
        "map keys must be strings or integers"
    );
}

#[test]
fn types_have_the_structure_of_serde_json() {
    #[derive(serde::Serialize)]
    struct Wrapped(u8);
    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        Newtype(Wrapped),
        Tuple(u8, char),
        Struct { a: Option<u8>, b: () },
    }
    let shapes = [Shape::Unit, Shape::Newtype(Wrapped(1)), Shape::Tuple(2, 'é'), Shape::Struct { a: Some(3), b: () }];
    let ours: serde_json::Value = serde_json::from_str(&written(&shapes, KEY)).unwrap();
    assert_eq!(ours, serde_json::to_value(&shapes).unwrap());
}
