//! Texts and what they set. The test in `tests/python/test_settings.py` compares the same table with python-dotenv itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::settings::dot_env::*;

const TABLE: &str = include_str!("../../../tests/fixtures/dot-env.jsonl");

#[test]
fn a_file_sets_what_python_dotenv_makes_of_it() {
    let mut seen = 0;
    for line in TABLE.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let environment = |name: &str| Some(OsString::from(case["environment"][name].as_str()?));
        let read = parse(case["text"].as_str().unwrap(), environment);
        let values: BTreeMap<_, _> =
            read.values.into_iter().map(|(name, value)| (name, value.into_string().unwrap())).collect();
        let expected: BTreeMap<String, String> = serde_json::from_value(case["values"].clone()).unwrap();
        assert_eq!(values, expected, "{}", case["text"]);
        seen += 1;
    }
    assert!(seen >= 35, "{seen} texts");
}

#[test]
fn invalid_statements_and_a_byte_order_mark_are_seen() {
    let read = parse("\u{feff}A=1\nB='x' y\nC='open\n", |_| None);
    assert_eq!(read.values, HashMap::from([("A".to_owned(), "1".into())]));
    assert_eq!(read.invalid, ["B='x' y", "C='open"]);
}

#[test]
#[cfg(unix)]
fn bytes_of_the_environment_are_kept() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = OsString::from_vec(b"caf\xe9".to_vec());
    let read = parse("HTTP_CACHE_DIR=/x/${NAME}/y", |_| Some(bytes.clone()));
    assert_eq!(read.values["HTTP_CACHE_DIR"], OsString::from_vec(b"/x/caf\xe9/y".to_vec()));
}

#[test]
fn only_a_regular_file_of_text_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(".env");
    assert_eq!(read(&path), Ok(None));
    std::fs::write(&path, b"A=1\n# caf\xe9\n").unwrap();
    assert_eq!(read(&path), Err("line 2 is not UTF-8".to_owned()));
    std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    assert_eq!(read(&path), Err("larger than 1 MiB".to_owned()));
    assert_eq!(read(directory.path()), Err("not a regular file".to_owned()));
    assert_eq!(read(Path::new("/dev/zero")), Err("not a regular file".to_owned()));
}
