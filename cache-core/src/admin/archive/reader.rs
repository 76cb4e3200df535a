//! Reading a file of entries. A member is used only when its checksum is right, and a body only when its own is.

use std::io::{BufRead, ErrorKind, Read as _};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use sha2::{Digest as _, Sha256};

use crate::admin::archive::line::{BodyEnd, BodyHash, Header, Line, Totals, VERSION};
use crate::error::BoxError;
use crate::model::record::Record;

/// A member has 1 MiB and the rest of its last line, which holds at most one Redis value (512 MiB) as base64.
const MAX_MEMBER: u64 = 1 << 30;

/// Why a file cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The first line is no header.
    #[error("not a file of cache entries")]
    NotAnArchive,
    /// Another program wrote it.
    #[error("written by a newer version (format {0}, this version reads {VERSION})")]
    Version(u32),
    /// A line is not what the format says; the number of whole records before it.
    #[error("damaged after {records} records: {problem}")]
    Damaged {
        /// Whole records before it.
        records: u64,
        /// What is wrong.
        problem: BoxError,
    },
    /// The elements of a body are not those that were written; the next record can be read.
    #[error("the body is not the one that was written")]
    Body,
    /// The file ends within a body.
    #[error("the file is cut off within a body")]
    Cut,
    /// The entry was removed or replaced while it was read: there is no record of it.
    #[error("the entry changed while it was read")]
    Void,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has not been read to the end.
    Unknown,
    /// With its totals, which are right.
    Whole,
    /// Without its last line: the program that wrote it was ended, or is writing it.
    CutOff,
}

/// Reads a file of entries, packed or not.
pub struct ArchiveReader<R: BufRead> {
    input: R,
    is_packed: bool,
    header: Header,
    /// Whole lines that have not been read, from `at` on.
    lines: Vec<u8>,
    at: usize,
    hash: Sha256,
    totals: Totals,
    /// The record whose body is being read.
    open: Option<(Record, BodyHash, u64)>,
    ending: Ending,
}

impl<R: BufRead> ArchiveReader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Self, ArchiveError> {
        let is_packed = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let mut reader = Self {
            input,
            is_packed,
            header: Header::default(),
            lines: Vec::new(),
            at: 0,
            hash: Sha256::new(),
            totals: Totals::default(),
            open: None,
            ending: Ending::Unknown,
        };
        let line = reader.next_line()?.ok_or(ArchiveError::NotAnArchive)?;
        let header: Header = serde_json::from_slice(&line).map_err(|_| ArchiveError::NotAnArchive)?;
        if !header.is_of_format() {
            return Err(ArchiveError::NotAnArchive);
        }
        if header.format_version() > VERSION {
            return Err(ArchiveError::Version(header.format_version()));
        }
        reader.hash.update(&line);
        reader.header = header;
        Ok(reader)
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole records that were read.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// How the file ends, once [`Self::next_record`] returned `None`.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// The next record; the rest of the body before it is skipped. `None`: the end, see [`Self::ending`].
    pub fn next_record(&mut self) -> Result<Option<Record>, ArchiveError> {
        while self.open.is_some() {
            match self.next_chunk() {
                Ok(_) | Err(ArchiveError::Body | ArchiveError::Void) => {}
                Err(ArchiveError::Cut) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if self.ending != Ending::Unknown {
            return Ok(None);
        }
        let Some(text) = self.next_line()? else {
            self.ending = Ending::CutOff;
            return Ok(None);
        };
        let line = self.parse(&text)?;
        if let Some(footer) = line.total {
            let hash = hex::encode(std::mem::take(&mut self.hash).finalize());
            if footer.totals != self.totals || footer.sha256 != hash {
                return Err(self.damaged("the totals are not those of the records"));
            }
            self.ending = Ending::Whole;
            return Ok(None);
        }
        self.hash.update(&text);
        let record = line.record().ok_or_else(|| self.damaged("a record of an unknown kind"))?;
        if record.has_body() {
            self.open = Some((record.clone(), BodyHash::default(), 0));
        } else {
            self.totals.add(&record, 0);
        }
        Ok(Some(record))
    }

    /// The next element of the body of the last record. `None`: the end of the body, which is the one that was written.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, ArchiveError> {
        if self.open.is_none() {
            return Ok(None);
        }
        let mut element = Vec::new();
        loop {
            let Some(text) = self.next_line()? else {
                self.open = None;
                self.ending = Ending::CutOff;
                return Err(ArchiveError::Cut);
            };
            let line = self.parse(&text)?;
            self.hash.update(&text);
            if let Some(end) = line.end {
                return self.end_body(&end).map(|()| None);
            }
            let piece = line.chunk.ok_or_else(|| self.damaged("a body without an end"))?;
            element.extend_from_slice(&piece.0);
            if !line.more {
                break;
            }
        }
        if let Some((_, hash, bytes)) = &mut self.open {
            hash.add(&element);
            *bytes += element.len() as u64;
        }
        Ok(Some(element.into()))
    }

    fn end_body(&mut self, end: &BodyEnd) -> Result<(), ArchiveError> {
        let Some((record, hash, bytes)) = self.open.take() else { return Err(ArchiveError::Body) };
        if end.void {
            return Err(ArchiveError::Void);
        }
        // The footer counts the record even where its body is damaged.
        self.totals.add(&record, bytes);
        if hash.end(false) == *end { Ok(()) } else { Err(ArchiveError::Body) }
    }

    fn parse(&self, text: &[u8]) -> Result<Line, ArchiveError> {
        serde_json::from_slice(text).map_err(|error| self.damaged(error))
    }

    fn damaged(&self, problem: impl Into<BoxError>) -> ArchiveError {
        ArchiveError::Damaged { records: self.totals.records(), problem: problem.into() }
    }

    /// The next line with its end; `None`: there is no further whole one.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, ArchiveError> {
        loop {
            if let Some(length) = self.lines[self.at..].iter().position(|byte| *byte == b'\n') {
                let end = self.at + length + 1;
                let line = self.lines[self.at..end].to_vec();
                self.at = end;
                return Ok(Some(line));
            }
            // Members consist of whole lines: what is left over is damaged.
            if self.at < self.lines.len() || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads a member, or a line of a file that is not packed; `false`: there is no further whole one.
    fn fill(&mut self) -> Result<bool, ArchiveError> {
        self.lines.clear();
        self.at = 0;
        if !self.is_packed {
            return Ok((&mut self.input).take(MAX_MEMBER).read_until(b'\n', &mut self.lines)? > 0);
        }
        if self.input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match GzDecoder::new(&mut self.input).take(MAX_MEMBER).read_to_end(&mut self.lines) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.lines.clear();
                Ok(false)
            }
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData) => {
                self.lines.clear();
                Err(self.damaged(error))
            }
            Err(error) => Err(error.into()),
        }
    }
}
