//! [`Call`]: the key and the TTL of a function result.

use std::time::Duration;

use serde::Serialize;

use crate::format::hex::sha256_hex;
use crate::format::result_key::{Argument, KeyFormat, result_key};
use crate::model::service::DEFAULT_TTL;

/// A function call to cache: function name, schema hash, arguments and TTL.
///
/// The key has one of two formats: the pipeline's ([`Call::new`]), or one that no other program has
/// ([`Call::distinct`]).
#[derive(Clone, Debug)]
pub struct Call<'a> {
    prefix: &'a str,
    schema: &'a str,
    positional: Vec<Argument>,
    keyword: Vec<(&'a str, Argument)>,
    ttl: Duration,
    has_key: bool,
    format: KeyFormat,
}

impl<'a> Call<'a> {
    /// A call of a function that the pipeline has as well, without arguments and with a TTL of [`DEFAULT_TTL`].
    ///
    /// `prefix` names the function; `schema` identifies its code ([`Call::schema_hash`]). The key joins the arguments as
    /// Python's `str()` or `json.dumps` writes them: `1` and `"1"` have the same key. A stored value that Python can read
    /// is not replaced, even if it is not a result of the expected type.
    pub fn new(prefix: &'a str, schema: &'a str) -> Self {
        let (positional, keyword, format) = (Vec::new(), Vec::new(), KeyFormat::Pipeline);
        Self { prefix, schema, positional, keyword, ttl: DEFAULT_TTL, has_key: true, format }
    }

    /// As [`Call::new`], for a function that no other program has: different arguments have different keys, if the names
    /// of keyword arguments are identifiers.
    ///
    /// ```
    /// use cache_core::Call;
    ///
    /// let call = Call::distinct("title", "82fce6a05e45281a").argument("9:a").argument(9);
    /// assert_eq!(call.key().unwrap(), r#"result_cache:title:82fce6a05e45281a:"9:a":9"#);
    /// ```
    pub fn distinct(prefix: &'a str, schema: &'a str) -> Self {
        Self { format: KeyFormat::Distinct, ..Self::new(prefix, schema) }
    }

    /// The schema hash of a function's source text: the first 16 hexadecimal digits of its SHA-256.
    pub fn schema_hash(source: &str) -> String {
        let mut digits = sha256_hex(source.as_bytes());
        digits.truncate(16);
        digits
    }

    /// Adds a positional argument. One that cannot be serialized disables caching for the call.
    pub fn argument(mut self, value: impl Serialize) -> Self {
        if let Some(argument) = self.written(&value) {
            self.positional.push(argument);
        }
        self
    }

    /// Adds a keyword argument, in any order. One that cannot be serialized disables caching for the call.
    pub fn keyword(mut self, name: &'a str, value: impl Serialize) -> Self {
        if let Some(argument) = self.written(&value) {
            self.keyword.push((name, argument));
        }
        self
    }

    /// Sets the TTL, in whole seconds; zero disables caching.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// The Redis key of the result; `None` if the call is not cached.
    pub fn key(&self) -> Option<String> {
        let is_cached = self.has_key && !self.ttl.is_zero();
        is_cached.then(|| result_key(self.prefix, self.schema, &self.positional, &self.keyword))
    }

    pub(crate) fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// Whether the pipeline has the function as well.
    pub(crate) fn is_shared(&self) -> bool {
        self.format == KeyFormat::Pipeline
    }

    pub(crate) fn time_to_live(&self) -> Duration {
        self.ttl
    }

    fn written(&mut self, value: &impl Serialize) -> Option<Argument> {
        Argument::new(value, self.format)
            .inspect_err(|error| {
                self.has_key = false;
                tracing::warn!(prefix = self.prefix, %error, "argument cannot be serialized; not caching this call");
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_key_is_the_pipelines() {
        let call = Call::new("p", "ace6d8c92ebc96ea").argument("x").keyword("b", None::<u8>).keyword("a", 1.5);
        assert_eq!(call.key().unwrap(), "result_cache:p:ace6d8c92ebc96ea:x:a=1.5:b=None");
        assert_eq!(Call::new("p", "ace6d8c92ebc96ea").key().unwrap(), "result_cache:p:ace6d8c92ebc96ea");
    }

    #[test]
    fn ambiguous_arguments_have_no_key() {
        let call = Call::new("p", "ace6d8c92ebc96ea");
        assert_eq!(call.clone().argument(BTreeMap::from([((1, 2), 3)])).argument(1).key(), None);
        assert_eq!(call.ttl(Duration::ZERO).key(), None);
    }
}
