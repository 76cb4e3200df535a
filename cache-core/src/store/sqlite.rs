//! One SQLite file: layouts C and E, and results.
#![allow(warnings)]
use super::{Cursor, Health, Info, Inspect, Inspected, Page, Removed, Store, Writer};
use crate::admin::filter::Filter;
use crate::config::Config;
use crate::entry::{Entry, EntryId};
use crate::error::{Backend, Result};
use crate::key::CacheKey;
use crate::service::Services;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Where a scan stands.
#[derive(Debug)]
pub(crate) struct Position;
/// What to do where there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Fail with [`crate::Error::Missing`].
    Fail,
    /// Create it, and its directory.
    Create,
    /// Act as an empty cache, and create nothing.
    Empty,
}
/// A SQLite store.
pub struct Sqlite;
impl Sqlite {
    /// Opens a file.
    pub async fn open(file: &std::path::Path, services: Services, missing: Missing) -> Result<Self> {
        todo!()
    }
}

#[async_trait]
impl Store for Sqlite {
    fn backend(&self) -> Backend {
        todo!()
    }
    async fn lookup(&self, _key: &CacheKey) -> Result<Vec<Entry>> {
        todo!()
    }
    async fn begin(&self, _entry: Entry, _ttl: Option<Duration>) -> Result<Box<dyn Writer>> {
        todo!()
    }
    async fn body(&self, _id: &EntryId) -> Result<Option<Bytes>> {
        todo!()
    }
    async fn replace(&self, _id: &EntryId, _entry: &Entry) -> Result<bool> {
        todo!()
    }
    async fn touch(&self, _ids: &[EntryId], _ttl: Option<Duration>) -> Result<u64> {
        todo!()
    }
    async fn remove(&self, _ids: &[EntryId]) -> Result<Removed> {
        todo!()
    }
    async fn result(&self, _key: &str) -> Result<Option<Bytes>> {
        todo!()
    }
    async fn put_result(&self, _key: &str, _value: Bytes, _ttl: Duration) -> Result<()> {
        todo!()
    }
}
#[async_trait]
impl Inspect for Sqlite {
    async fn scan(&self, _filter: &Filter, _from: Option<Cursor>, _want: usize) -> Result<Page> {
        todo!()
    }
    async fn inspect(&self, _id: &EntryId) -> Result<Option<Inspected>> {
        todo!()
    }
    async fn raw_body(&self, _id: &EntryId, _limit: usize) -> Result<Option<Bytes>> {
        todo!()
    }
    async fn info(&self) -> Result<Info> {
        todo!()
    }
    async fn health(&self) -> Health {
        todo!()
    }
}
