//! The metadata that hishel stores with an entry.

use serde::{Deserialize, Serialize};

/// Marks a `hishel_ttl` that was written by the storage. hishel preserves unknown fields.
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub(crate) const STORAGE_TTL_MARK: &str = "animecache_kept";

/// hishel's metadata, preserved byte for byte.
#[derive(Clone, Debug, PartialEq)]
pub struct HishelMetadata(rmpv::Value);

impl Default for HishelMetadata {
    fn default() -> Self {
        Self(rmpv::Value::Map(Vec::new()))
    }
}

impl HishelMetadata {
    /// No metadata, as in hishel 2.
    pub(crate) fn absent() -> Self {
        Self(rmpv::Value::Nil)
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.0.is_nil()
    }

    /// `hishel_ttl`: the entry's own TTL in seconds.
    pub fn ttl(&self) -> Option<f64> {
        let members = self.0.as_map()?;
        let (_, value) = members.iter().find(|(name, _)| name.as_str() == Some("hishel_ttl"))?;
        value.as_f64()
    }

    /// Sets `hishel_ttl`, in seconds.
    pub fn set_ttl(&mut self, seconds: f64) {
        self.set("hishel_ttl", seconds.into());
    }

    /// Records the TTL of the storage as `hishel_ttl`, the only place where hishel 1 reads it. A mark says that it is
    /// not the entry's own TTL, unless the entry had one.
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn set_storage_ttl(&mut self, seconds: f64) {
        let is_own = self.ttl().is_some();
        self.set_ttl(seconds);
        if !is_own {
            self.set(STORAGE_TTL_MARK, true.into());
        }
    }

    /// Reverts [`HishelMetadata::set_storage_ttl`].
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn clear_storage_ttl(&mut self) {
        if let rmpv::Value::Map(members) = &mut self.0
            && members.iter().any(|(name, _)| name.as_str() == Some(STORAGE_TTL_MARK))
        {
            members.retain(|(name, _)| !matches!(name.as_str(), Some(STORAGE_TTL_MARK | "hishel_ttl")));
        }
    }

    fn set(&mut self, member: &str, value: rmpv::Value) {
        if !self.0.is_map() {
            self.0 = rmpv::Value::Map(Vec::new());
        }
        if let rmpv::Value::Map(members) = &mut self.0 {
            members.retain(|(name, _)| name.as_str() != Some(member));
            members.push((member.into(), value));
        }
    }
}

impl Serialize for HishelMetadata {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HishelMetadata {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        rmpv::Value::deserialize(deserializer).map(Self)
    }
}
