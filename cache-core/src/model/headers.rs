//! Header fields in their stored order.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::model::octets;

/// Header fields in their stored order: lower-case names, each with its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(IndexMap<String, Vec<String>>);

impl Headers {
    /// The first value of a field; `name` in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// Every value of a field; `name` in lower case.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The number of fields.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every field with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Every field line as it was sent: a name and the bytes of one value.
    pub fn lines(&self) -> impl Iterator<Item = (&str, Cow<'_, [u8]>)> {
        self.0.iter().flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), octets::to_bytes(value))))
    }

    /// Appends a value as it was sent. Bytes that are not UTF-8 are stored as private-use characters, and
    /// [`Self::lines`] restores them.
    pub fn append_line(&mut self, name: &str, value: &[u8]) {
        self.append(name, octets::to_text(value));
    }

    /// Appends a value to a field.
    pub fn append(&mut self, name: &str, value: impl Into<String>) {
        self.0.entry(name.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// Replaces the values of a field; without values, the field is removed. `name` in lower case.
    pub(crate) fn set(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().collect();
        if values.is_empty() {
            self.0.shift_remove(name);
        } else {
            self.0.insert(name.to_owned(), values);
        }
    }

    /// Keeps the fields with a lower-case name that passes.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.0.retain(|name, _| is_kept(name));
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(fields: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }
}
