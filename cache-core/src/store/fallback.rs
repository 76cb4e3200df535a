//! Two stores: the second answers while the first cannot be reached.
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

/// Two stores as one.
pub struct Fallback;
impl Fallback {
    /// The second answers while the first cannot be reached; `is_up`: whether the first answered just now.
    pub fn new(first: Arc<dyn Inspect>, second: Arc<dyn Inspect>, is_up: bool) -> Self {
        todo!()
    }
}

#[async_trait]
impl Store for Fallback {
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
impl Inspect for Fallback {
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
