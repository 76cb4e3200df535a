//! A call of a function: what its result is stored under, and for how long.

use std::time::Duration;

use serde::Serialize;

use crate::format::result_key::{Argument, result_key};
use crate::model::service::DEFAULT_TTL;

/// A call of a function whose result is cached: its key by the pipeline's recipe, and how long the result lives.
///
/// The recipe joins the arguments as Python's `str()` or `json.dumps` writes them, so `1` and `"1"` are one key, as in
/// the pipeline.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    prefix: &'a str,
    schema: &'a str,
    positional: Vec<Argument>,
    keyword: Vec<(&'a str, Argument)>,
    ttl: Duration,
    has_key: bool,
}

impl<'a> Call<'a> {
    /// A call without arguments, whose result lives for [`DEFAULT_TTL`].
    ///
    /// `prefix` names the function; `schema` stands for its code: the first 16 hexadecimal digits of a SHA-256, which
    /// change when the code does.
    pub fn new(prefix: &'a str, schema: &'a str) -> Self {
        Self { prefix, schema, positional: Vec::new(), keyword: Vec::new(), ttl: DEFAULT_TTL, has_key: true }
    }

    /// The next positional argument. With one that serde cannot serialize, nothing is cached.
    pub fn argument(mut self, value: impl Serialize) -> Self {
        if let Some(argument) = self.written(&value) {
            self.positional.push(argument);
        }
        self
    }

    /// A keyword argument; their order does not matter. With one that serde cannot serialize, nothing is cached.
    pub fn keyword(mut self, name: &'a str, value: impl Serialize) -> Self {
        if let Some(argument) = self.written(&value) {
            self.keyword.push((name, argument));
        }
        self
    }

    /// How long the result lives, in whole seconds; with zero, nothing is cached.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// The Redis key of the result; `None` where nothing is cached.
    pub fn key(&self) -> Option<String> {
        let is_cached = self.has_key && !self.ttl.is_zero();
        is_cached.then(|| result_key(self.prefix, self.schema, &self.positional, &self.keyword))
    }

    pub(crate) fn prefix(&self) -> &'a str {
        self.prefix
    }

    pub(crate) fn time_to_live(&self) -> Duration {
        self.ttl
    }

    fn written(&mut self, value: &impl Serialize) -> Option<Argument> {
        Argument::of(value)
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
    fn what_cannot_be_told_apart_has_no_key() {
        let call = Call::new("p", "ace6d8c92ebc96ea");
        assert_eq!(call.clone().argument(BTreeMap::from([((1, 2), 3)])).argument(1).key(), None);
        assert_eq!(call.ttl(Duration::ZERO).key(), None);
    }
}
