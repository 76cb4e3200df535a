//! Files of entries: lines of JSON in gzip members of whole lines, so that `zcat FILE | jq` reads them, and a file that
//! was cut off is good up to its last whole member.
//!
//! The first line is the [`Header`]. A response, or a long result, is followed by the elements of its body and by a line
//! with their number and SHA-256. The last line has the totals and the SHA-256 of all lines before it.

mod line;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use line::{Header, Reason, Source, Totals};
pub use reader::{ArchiveError, ArchiveReader, Ending};
pub use writer::ArchiveWriter;
