//! The names of layouts in files: unlike in lists, each has its own.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::model::entry::StorageLayout;

const LAYOUTS: [(StorageLayout, &str); 5] = [
    (StorageLayout::Pipeline, "pipeline"),
    (StorageLayout::Hishel1, "hishel1"),
    (StorageLayout::Hishel2, "hishel2"),
    (StorageLayout::Sqlite1, "sqlite1"),
    (StorageLayout::Sqlite2, "sqlite2"),
];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn serialize<S: Serializer>(layout: &StorageLayout, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(LAYOUTS.iter().find(|(of, _)| of == layout).map_or("", |(_, name)| name))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StorageLayout, D::Error> {
    let text = String::deserialize(deserializer)?;
    let found = LAYOUTS.iter().find(|(_, name)| *name == text);
    found.map(|(layout, _)| *layout).ok_or_else(|| D::Error::custom(format!("unknown layout '{text}'")))
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn serialize_optional<S: Serializer>(
    layout: &Option<StorageLayout>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match layout {
        Some(layout) => serialize(layout, serializer),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize_optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<StorageLayout>, D::Error> {
    deserialize(deserializer).map(Some)
}
