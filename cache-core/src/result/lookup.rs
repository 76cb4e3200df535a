//! One look-up of a result: in the store, behind somebody else's computation, and its counters and events.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::Core;
use crate::coalesce::{Lead, Turn};
use crate::counters::{Counts, Scope};
use crate::python::{self, Dumps, Kind};

/// What is asked for, and what was learnt about it so far.
pub(super) struct Lookup<'a> {
    core: &'a Core,
    prefix: &'a str,
    key: String,
    /// Spent on asking the store.
    time: Duration,
    has_waited: bool,
}

/// What the store knows.
enum Answer<T> {
    Found(T),
    Missing,
    /// The store does not answer.
    Unknown,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(core: &'a Core, prefix: &'a str, key: String) -> Self {
        Self { core, prefix, key, time: Duration::ZERO, has_waited: false }
    }

    /// The stored result; or, where it has to be computed, the lead of those who wait for it, if anybody can wait.
    pub(super) async fn find<T: DeserializeOwned>(&mut self) -> Result<T, Option<Lead>> {
        let mut lead: Option<Lead> = None;
        loop {
            match self.ask().await {
                Answer::Found(value) => {
                    if let Some(lead) = lead {
                        lead.land(true).await;
                    }
                    return Ok(value);
                }
                Answer::Missing if lead.is_none() => match self.core.flights.board(&self.key).await {
                    Turn::Lead(granted) => {
                        self.has_waited |= granted.has_waited();
                        lead = Some(granted);
                    }
                    Turn::LookAgain => self.has_waited = true,
                    Turn::Alone => break,
                },
                // Without a store there is nothing that others could wait for.
                Answer::Missing | Answer::Unknown => break,
            }
        }
        self.count(Counts { misses: 1, ..self.so_far() });
        tracing::debug!(prefix = self.prefix, key = ?self.key, lookup = ?self.time, "miss");
        Err(lead)
    }

    /// Stores what was computed within `computed_in`; whether that worked.
    pub(super) async fn store(&self, value: Bytes, ttl: Duration, computed_in: Duration) -> bool {
        let bytes = value.len() as u64;
        if bytes > self.core.largest_entry {
            return false;
        }
        let stored =
            self.core.store.ask("put_result", |store| async move { store.put_result(&self.key, value, ttl).await });
        let is_stored = stored.await.is_some();
        if is_stored {
            self.count(Counts { stores: 1, ..Counts::default() });
            tracing::debug!(prefix = self.prefix, key = ?self.key, bytes, ?ttl, ?computed_in, "store");
        } else {
            self.count(Counts { errors: 1, ..Counts::default() });
        }
        is_stored
    }

    async fn ask<T: DeserializeOwned>(&mut self) -> Answer<T> {
        let start = Instant::now();
        let key = &self.key;
        let answer = self.core.store.ask("result", |store| async move { store.result(key).await }).await;
        self.time += start.elapsed();
        match answer {
            None => {
                self.count(Counts { errors: 1, ..Counts::default() });
                Answer::Unknown
            }
            Some(None) => Answer::Missing,
            Some(Some(bytes)) => match serde_json::from_slice(&bytes) {
                Ok(value) if !is_null(&bytes) => {
                    let bytes = bytes.len() as u64;
                    self.count(Counts { hits: 1, bytes, ..self.so_far() });
                    tracing::debug!(prefix = self.prefix, key = ?self.key, bytes, lookup = ?self.time, "hit");
                    Answer::Found(value)
                }
                _ => {
                    tracing::warn!(prefix = self.prefix, key = ?self.key, "the stored result cannot be read");
                    Answer::Missing
                }
            },
        }
    }

    fn so_far(&self) -> Counts {
        Counts { waits: self.has_waited.into(), lookup_micros: self.time.as_micros() as u64, ..Counts::default() }
    }

    fn count(&self, happened: Counts) {
        self.core.counters.count(&Scope::Result(self.prefix.to_owned()), happened);
    }
}

fn is_null(json: &[u8]) -> bool {
    json.trim_ascii() == b"null"
}

/// The JSON of a result; `None` where it is `null`, or where nobody could read it again: those who wait for it would
/// wait in vain.
pub(super) fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Option<Bytes> {
    let written = python::dumps(value, Dumps { ascii: false, compact: false, sorted: false });
    let checked = written.and_then(|(text, kind)| match kind {
        Kind::None => Ok(None),
        _ => serde_json::from_str::<T>(&text).map(|_| Some(text.into())),
    });
    checked.unwrap_or_else(|error| {
        tracing::warn!(r#type = std::any::type_name::<T>(), %error, "a result of this type cannot be stored");
        None
    })
}
