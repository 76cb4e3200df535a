//! Python-compatible formatting of values (`str`, `json.dumps`).

pub(crate) mod json;
pub(crate) mod loads;
pub(crate) mod repr;
