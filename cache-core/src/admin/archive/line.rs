//! The lines of a file of entries.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{BackendId, BackendKind};
use crate::model::record::{Base64, ExpiryRecord, HttpRecord, RawRecord, Record, ResultRecord};

/// The version of the format. A reader refuses newer ones.
pub(super) const VERSION: u32 = 1;

/// An element of a body is written in pieces of this size; bytes.
pub(super) const PIECE: usize = 131_072;

/// Why a file was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// To move entries.
    #[default]
    Export,
    /// To take a change back.
    Undo,
}

/// The first line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// `export`
    animecache: String,
    /// The version of the format.
    version: u32,
    /// Why the file was written.
    pub reason: Reason,
    /// The command, for a file that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// When it was begun, in Unix seconds.
    pub created_at: f64,
    /// The version of the program.
    pub tool: String,
    /// Whether secrets were left out.
    #[serde(default)]
    pub redacted: bool,
    /// How many entries the change was planned for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<u64>,
    /// The cache.
    pub source: Source,
}

impl Header {
    /// The header of a file that takes back what a command changes.
    pub fn for_undo(command: &str, created_at: f64, planned: u64, source: Source) -> Self {
        Self {
            animecache: "export".to_owned(),
            version: VERSION,
            reason: Reason::Undo,
            command: Some(command.to_owned()),
            created_at,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            redacted: false,
            planned: Some(planned),
            source,
        }
    }

    pub(super) fn is_of_format(&self) -> bool {
        self.animecache == "export"
    }

    pub(super) fn format_version(&self) -> u32 {
        self.version
    }
}

/// The cache that a file is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `redis` or `sqlite`
    pub kind: String,
    /// The URL without password, or the path.
    pub location: String,
    /// The device and inode of an SQLite file, since another file may be at the same path later. Redis has none: a server
    /// that was restarted at the same URL may contain the same cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl Source {
    /// The source for a backend. `instance` is used for files only.
    pub fn new(backend: &BackendId, instance: Option<&str>) -> Self {
        let instance = instance.filter(|_| backend.kind == BackendKind::Sqlite);
        Self {
            kind: backend.kind.name().to_owned(),
            location: backend.location.to_string(),
            instance: instance.map(str::to_owned),
        }
    }

    /// Whether both are the same cache. Files are compared by inode: several paths may lead to one file.
    pub fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && match (&self.instance, &other.instance) {
                (Some(one), Some(other)) => one == other,
                _ => self.location == other.location,
            }
    }
}

/// A line behind the header. Exactly one field is set, and `more` only beside `chunk`.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) http: Option<Box<HttpRecord>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<ResultRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) raw: Option<RawRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expiry: Option<ExpiryRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chunk: Option<Base64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) more: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<BodyEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<Footer>,
}

impl Line {
    pub(super) fn record(self) -> Option<Record> {
        (self.http.map(Record::Http))
            .or(self.result.map(Record::Result))
            .or(self.raw.map(Record::Raw))
            .or(self.expiry.map(Record::Expiry))
    }
}

impl From<&Record> for Line {
    fn from(record: &Record) -> Self {
        match record.clone() {
            Record::Http(http) => Self { http: Some(http), ..Self::default() },
            Record::Result(result) => Self { result: Some(result), ..Self::default() },
            Record::Raw(raw) => Self { raw: Some(raw), ..Self::default() },
            Record::Expiry(expiry) => Self { expiry: Some(expiry), ..Self::default() },
        }
    }
}

/// The line behind a body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BodyEnd {
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// The entry was removed or replaced while it was read: there is no record of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) void: bool,
}

/// Counts the elements of a body.
#[derive(Default)]
pub(super) struct BodyHash {
    chunks: u64,
    bytes: u64,
    hash: Sha256,
}

impl BodyHash {
    pub(super) fn add(&mut self, element: &[u8]) {
        self.chunks += 1;
        self.bytes += element.len() as u64;
        self.hash.update(element);
    }

    pub(super) fn end(self, void: bool) -> BodyEnd {
        BodyEnd { chunks: self.chunks, bytes: self.bytes, sha256: hex::encode(self.hash.finalize()), void }
    }
}

/// The number of records by kind, and the bytes of bodies and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Responses.
    pub http: u64,
    /// Results.
    pub result: u64,
    /// Keys and rows that are no whole entry.
    #[serde(default)]
    pub raw: u64,
    /// Changed TTLs.
    #[serde(default)]
    pub expiry: u64,
    /// Bytes of bodies and values.
    pub bytes: u64,
}

impl Totals {
    /// Records of all kinds.
    pub fn records(&self) -> u64 {
        self.http + self.result + self.raw + self.expiry
    }

    /// Adds a whole record; `body`: the bytes that followed it.
    pub(super) fn add(&mut self, record: &Record, body: u64) {
        self.bytes += body;
        match record {
            Record::Http(_) => self.http += 1,
            Record::Result(result) => {
                self.result += 1;
                self.bytes += result.value.as_ref().map_or(0, |value| value.0.len() as u64);
            }
            Record::Raw(raw) => {
                self.raw += 1;
                self.bytes += raw.dump.as_ref().map_or(0, |dump| dump.0.len() as u64);
            }
            Record::Expiry(_) => self.expiry += 1,
        }
    }
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Footer {
    #[serde(flatten)]
    pub(super) totals: Totals,
    /// Of all lines before, unpacked.
    pub(super) sha256: String,
}
