//! `.env`, read as python-dotenv reads it: the pipeline reads the same file, and must find the same cache in it.
//!
//! No crate does: the others also expand `$NAME`, which is a part of passwords, and none knows `${NAME:-default}`.

mod statements;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// Larger files are not read.
const MAX_FILE: u64 = 1 << 20;

/// The values of a `.env` file. They are not put into the environment of this process.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct DotEnv {
    pub(crate) values: HashMap<String, OsString>,
    /// The text of each statement that is not valid. python-dotenv skips them.
    pub(crate) invalid: Vec<String>,
}

/// Reads a file; `None`: it does not exist. The error is a sentence without the path.
pub(crate) fn read(path: &Path) -> Result<Option<DotEnv>, String> {
    let text = match text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let text = String::from_utf8(text).map_err(|error| {
        let line =
            1 + error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').skip(1).count();
        format!("line {line} is not UTF-8")
    })?;
    Ok(Some(parse(&text, |name| std::env::var_os(name))))
}

/// The bytes of a regular file: another one may have no end, or never begin.
fn text(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(text)
}

/// The values of a text. `${NAME}` is looked up in the environment first, then among the values above it.
fn parse(text: &str, environment: impl Fn(&str) -> Option<OsString>) -> DotEnv {
    let mut read = DotEnv::default();
    // Names without `=` have no value, and hide an earlier one.
    let mut known: HashMap<String, Option<OsString>> = HashMap::new();
    // Python reads every line end as `\n`; a byte order mark is written by some editors.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    for statement in statements::statements(&text) {
        match statement {
            Ok((name, value)) => {
                let lookup =
                    |name: &str| environment(name).or_else(|| known.get(name)?.clone().or(Some(OsString::new())));
                let value = value.map(|value| variables::expand(&value, lookup));
                known.insert(name, value);
            }
            Err(invalid) => read.invalid.push(invalid.to_owned()),
        }
    }
    read.values = known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    read
}
