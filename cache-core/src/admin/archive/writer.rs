//! Writing a file of entries. Memory is bounded by one packed member.

use std::io::{Result, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::admin::archive::line::{BodyHash, Footer, Header, Line, PIECE, Totals};
use crate::model::record::{Base64, Record};

/// A member ends behind the line with which it reaches this length, unpacked; bytes.
const MEMBER: usize = 1 << 20;

/// Writes a file of entries. Only whole members are on the disk: after [`Self::flush`], all records are.
pub struct ArchiveWriter<W: Write> {
    output: W,
    member: GzEncoder<Vec<u8>>,
    /// The length of the member, unpacked.
    pending: usize,
    hash: Sha256,
    totals: Totals,
    /// The record whose body is being written.
    open: Option<(Record, BodyHash, u64)>,
    written: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins a file.
    pub fn new(output: W, header: &Header) -> Result<Self> {
        let mut writer = Self {
            output,
            member: member(),
            pending: 0,
            hash: Sha256::new(),
            totals: Totals::default(),
            open: None,
            written: 0,
        };
        writer.line(header)?;
        Ok(writer)
    }

    /// Writes a record. If a body follows, it is written by [`Self::chunk`], and ended by [`Self::end`].
    pub fn record(&mut self, record: &Record) -> Result<()> {
        debug_assert!(self.open.is_none(), "the body before has no end");
        self.line(&Line::from(record))?;
        if record.has_body() {
            self.open = Some((record.clone(), BodyHash::default(), 0));
        } else {
            self.totals.add(record, 0);
        }
        Ok(())
    }

    /// Writes one element of the body: a Redis list element, or a row.
    pub fn chunk(&mut self, element: &[u8]) -> Result<()> {
        if let Some((_, hash, bytes)) = &mut self.open {
            hash.add(element);
            *bytes += element.len() as u64;
        }
        let mut rest = element;
        loop {
            let (piece, behind) = rest.split_at(rest.len().min(PIECE));
            rest = behind;
            let (chunk, more) = (Some(Base64(piece.to_vec())), !rest.is_empty());
            self.line(&Line { chunk, more, ..Line::default() })?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Ends the body. `is_void`: the entry was removed or replaced while it was read, and is no record.
    pub fn end(&mut self, is_void: bool) -> Result<()> {
        let Some((record, hash, bytes)) = self.open.take() else { return Ok(()) };
        if !is_void {
            self.totals.add(&record, bytes);
        }
        self.line(&Line { end: Some(hash.end(is_void)), ..Line::default() })
    }

    /// The records so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The length of the file so far, without the member that is not written yet.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The output.
    pub fn get_ref(&self) -> &W {
        &self.output
    }

    /// Ends the member: what was written so far can be read, whatever comes behind it.
    pub fn flush(&mut self) -> Result<()> {
        if self.pending == 0 {
            return Ok(());
        }
        let packed = std::mem::replace(&mut self.member, member()).finish()?;
        self.pending = 0;
        self.output.write_all(&packed)?;
        self.written += packed.len() as u64;
        self.output.flush()
    }

    /// Writes the last line.
    pub fn finish(mut self) -> Result<(W, Totals)> {
        let sha256 = hex::encode(std::mem::take(&mut self.hash).finalize());
        let total = Some(Footer { totals: self.totals, sha256 });
        self.line(&Line { total, ..Line::default() })?;
        self.flush()?;
        Ok((self.output, self.totals))
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hash.update(&text);
        self.member.write_all(&text)?;
        self.pending += text.len();
        if self.pending >= MEMBER { self.flush() } else { Ok(()) }
    }
}

fn member() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}
