//! Decoding of content codings (RFC 9110, 8.4), at once or step by step, within a limit. Pure.
//!
//! The content coding of a stored body is detected from the bytes because the pipeline stores decoded bodies with their
//! original `Content-Encoding`.

use std::borrow::Cow;
use std::io::{self, Write};

use brotli::DecompressorWriter;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use crate::format::zstd::ZstdDecoder;

/// The largest body that is decoded at once: cached bytes are untrusted.
pub(crate) const DECODED_LIMIT: u64 = 64 << 20;

/// Input is decoded in steps of this size, so that a decompression bomb is noticed before it fills the memory.
pub(crate) const STEP: usize = 1 << 10;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// A content coding that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentCoding {
    /// RFC 9110, 8.4.1.3.
    Gzip,
    /// RFC 9110, 8.4.1.2, with and without the zlib header.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl ContentCoding {
    /// The coding that a `Content-Encoding` header names; `None` if it names none or an unknown one.
    pub(crate) fn from_header(content_encoding: &str) -> Option<Self> {
        match content_encoding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The coding that the first bytes of a body identify; `None` for codings without a magic number.
    pub(crate) fn detect(start: &[u8]) -> Option<Self> {
        if start.starts_with(GZIP_MAGIC) {
            Some(Self::Gzip)
        } else if start.starts_with(ZSTD_MAGIC) {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// Whether a stored body that begins like this still has the coding.
    pub(crate) fn is_encoded(self, start: &[u8]) -> bool {
        match self {
            Self::Gzip | Self::Zstd => Self::detect(start) == Some(self),
            // These have no magic number, or an optional one: stored text is not encoded.
            Self::Deflate | Self::Brotli => !start.is_empty() && !is_text(start),
        }
    }

    /// Whether a stored body that begins like this contradicts its header, which names this coding. Without a magic
    /// number, a short encoded body may look like text, but has the length that the header declares.
    pub(crate) fn contradicts_header(self, start: &[u8], has_declared_length: bool) -> bool {
        match self {
            Self::Gzip | Self::Zstd => !start.is_empty() && !self.is_encoded(start),
            Self::Deflate | Self::Brotli => is_text(start) && !has_declared_length,
        }
    }
}

/// Whether a body begins as text.
pub(crate) fn is_text(body: &[u8]) -> bool {
    // The last character may be cut.
    std::str::from_utf8(&body[..body.len().min(STEP)]).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Decodes a stored body. Returns it unchanged if it is not encoded, cannot be decoded, or would become longer than
/// 64 MiB.
///
/// `content_encoding` is the response's header.
pub fn decode_body<'a>(body: &'a [u8], content_encoding: Option<&str>) -> Cow<'a, [u8]> {
    try_decode_body(body, content_encoding).unwrap_or(Cow::Borrowed(body))
}

/// As [`decode_body`], for callers that must know whether the coding was undone.
///
/// # Errors
/// The reason for which the body stays encoded: it is damaged, or would become too long.
pub fn try_decode_body<'a>(body: &'a [u8], content_encoding: Option<&str>) -> io::Result<Cow<'a, [u8]>> {
    let Some(coding) = coding_of(body, content_encoding) else { return Ok(body.into()) };
    try_decode_all(body, coding).map(Cow::Owned)
}

/// Writes a stored body with its coding undone, of any length.
///
/// # Errors
/// The body is damaged, or cannot be written.
pub fn write_decoded(body: &[u8], content_encoding: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    let mut decoder = Decoder::new(coding_of(body, content_encoding), body, DECODED_LIMIT as usize);
    let mut decoded = Vec::new();
    for input in body.chunks(STEP) {
        decoder.push(input, &mut decoded)?;
        out.write_all(&decoded)?;
        decoded.clear();
    }
    decoder.finish(&mut decoded)?;
    out.write_all(&decoded)
}

/// The coding that a stored body still has.
fn coding_of(body: &[u8], content_encoding: Option<&str>) -> Option<ContentCoding> {
    let declared = content_encoding.and_then(ContentCoding::from_header);
    ContentCoding::detect(body).or_else(|| declared.filter(|coding| coding.is_encoded(body)))
}

fn try_decode_all(body: &[u8], coding: ContentCoding) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::new(Some(coding), body, DECODED_LIMIT as usize);
    let mut out = Vec::new();
    for input in body.chunks(STEP) {
        decoder.push(input, &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

/// Decodes a body step by step.
pub(crate) struct Decoder {
    state: State,
    /// The output that a caller collects may not exceed this many bytes.
    limit: usize,
}

enum State {
    Identity,
    Gzip(Box<MultiGzDecoder<Limited>>),
    Deflate { inflate: Decompress, is_complete: bool },
    Brotli(Box<DecompressorWriter<Limited>>),
    Zstd(Box<ZstdDecoder>),
}

impl Decoder {
    /// `coding`: `None` for a body that is not encoded; `start`: its first bytes, two at least where there are as many.
    pub(crate) fn new(coding: Option<ContentCoding>, start: &[u8], limit: usize) -> Self {
        let sink = || Limited { bytes: Vec::new(), limit };
        let state = match coding {
            None => State::Identity,
            Some(ContentCoding::Gzip) => State::Gzip(Box::new(MultiGzDecoder::new(sink()))),
            // Some origins leave the zlib header out.
            Some(ContentCoding::Deflate) => {
                State::Deflate { inflate: Decompress::new(is_zlib(start)), is_complete: false }
            }
            Some(ContentCoding::Brotli) => State::Brotli(Box::new(DecompressorWriter::new(sink(), 4096))),
            Some(ContentCoding::Zstd) => State::Zstd(Box::default()),
        };
        Self { state, limit }
    }

    /// Decodes the next bytes, and appends the result to `out`. Fails if `out` would become longer than the limit.
    pub(crate) fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.with_output(out, |state, out| match state {
            State::Identity => out.write_all(input),
            State::Gzip(decoder) => {
                decoder.write_all(input)?;
                out.append(decoder.get_mut())
            }
            State::Deflate { inflate, is_complete } => inflate_into(inflate, is_complete, input, out),
            State::Brotli(decoder) => {
                decoder.write_all(input)?;
                out.append(decoder.get_mut())
            }
            State::Zstd(decoder) => decoder.push(input, out),
        })
    }

    /// Ends the body. Fails if it was truncated within its coding.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.with_output(out, |state, out| match state {
            State::Identity | State::Deflate { is_complete: true, .. } => Ok(()),
            State::Gzip(decoder) => {
                decoder.try_finish()?;
                out.append(decoder.get_mut())
            }
            State::Brotli(decoder) => {
                decoder.close()?;
                out.append(decoder.get_mut())
            }
            State::Deflate { .. } => Err(io::ErrorKind::UnexpectedEof.into()),
            State::Zstd(decoder) => decoder.finish(out),
        })
    }

    fn with_output(
        &mut self,
        out: &mut Vec<u8>,
        decode: impl FnOnce(&mut State, &mut Limited) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut limited = Limited { bytes: std::mem::take(out), limit: self.limit };
        let decoded = decode(&mut self.state, &mut limited);
        *out = limited.bytes;
        decoded
    }
}

fn inflate_into(
    inflate: &mut Decompress,
    is_complete: &mut bool,
    mut input: &[u8],
    out: &mut Limited,
) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while !*is_complete {
        let before = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(input, &mut buffer, FlushDecompress::None)?;
        let (read, written) = (inflate.total_in() - before.0, inflate.total_out() - before.1);
        input = &input[read as usize..];
        out.write_all(&buffer[..written as usize])?;
        *is_complete = status == Status::StreamEnd;
        if read == 0 && written == 0 {
            break;
        }
    }
    Ok(())
}

/// RFC 1950, 2.2: method 8, and the two bytes are a multiple of 31.
fn is_zlib(start: &[u8]) -> bool {
    matches!(start, [a, b, ..] if a & 15 == 8 && (u16::from(*a) << 8 | u16::from(*b)) % 31 == 0)
}

/// Decoded bytes, up to a limit.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
}

impl Limited {
    fn append(&mut self, from: &mut Self) -> io::Result<()> {
        let bytes = std::mem::take(&mut from.bytes);
        if self.bytes.is_empty() {
            self.bytes = bytes;
            return Ok(());
        }
        self.write_all(&bytes)
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other("the decoded body exceeds the limit"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    pub(crate) fn brotli(mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let params = ::brotli::enc::BrotliEncoderParams { quality: 3, ..Default::default() };
        ::brotli::BrotliCompress(&mut bytes, &mut out, &params).unwrap();
        out
    }

    pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// The body in every form of every coding.
    pub(crate) fn encodings(body: &[u8]) -> [(Vec<u8>, ContentCoding); 5] {
        [
            (gzip(body), ContentCoding::Gzip),
            (zlib(body), ContentCoding::Deflate),
            (raw_deflate(body), ContentCoding::Deflate),
            (brotli(body), ContentCoding::Brotli),
            (zstd(body), ContentCoding::Zstd),
        ]
    }

    #[test]
    fn stored_body_is_decoded_by_its_bytes() {
        assert_eq!(decode_body(b"{\"plain\": 1}", Some("gzip")), &b"{\"plain\": 1}"[..]);
        assert_eq!(decode_body(&gzip(b"hello"), Some("gzip")), &b"hello"[..]);
        assert_eq!(decode_body(&gzip(b"hello"), None), &b"hello"[..]);
        for coding in ["br", "deflate"] {
            for body in [&b"plain"[..], b"{\n  \"data\": 1}"] {
                assert_eq!(decode_body(body, Some(coding)), body, "{coding}");
            }
        }
        let mut cut = gzip(&[b'x'; 100]);
        cut.truncate(cut.len() / 2);
        assert_eq!(decode_body(&cut, Some("gzip")), cut.as_slice());
    }

    #[test]
    fn zstd_body_is_decoded_with_and_without_header() {
        let encoded = zstd(b"hello");
        for header in [Some("zstd"), Some("br"), None] {
            assert_eq!(decode_body(&encoded, header), &b"hello"[..], "{header:?}");
        }
        assert_eq!(decode_body(b"plain", Some("zstd")), &b"plain"[..]);
        let cut = &encoded[..encoded.len() - 2];
        assert_eq!(decode_body(cut, Some("zstd")), cut);
        // RFC 8878, 3: frames may follow each other, and skippable ones stand between them.
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
        let frames = [&encoded[..], &skippable, &zstd(b", world")].concat();
        assert_eq!(decode_body(&frames, None), &b"hello, world"[..]);
    }

    #[test]
    fn body_beyond_the_limit_stays_encoded() {
        // A frame of blocks that repeat one byte 128 Ki times each, the last one marked.
        let block = |is_last: bool| [u8::from(is_last) | 0b10, 0, 0x10, b'x'];
        let frame = |blocks: u64| {
            let mut frame = [ZSTD_MAGIC, &[0, 0x58]].concat();
            (1..=blocks).for_each(|at| frame.extend(block(at == blocks)));
            frame
        };
        let most = DECODED_LIMIT >> 17;
        assert_eq!(decode_body(&frame(most), None).len() as u64, DECODED_LIMIT);
        let bomb = frame(most + 1);
        assert_eq!(decode_body(&bomb, None), bomb.as_slice());
        assert!(try_decode_body(&bomb, None).is_err());
        let mut all = Vec::new();
        write_decoded(&bomb, None, &mut all).unwrap();
        assert!(all.len() as u64 == DECODED_LIMIT + (1 << 17) && all.iter().all(|byte| *byte == b'x'));
    }

    proptest! {
        #[test]
        fn decode_all_undoes_every_coding(body in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            for (encoded, coding) in encodings(&body) {
                prop_assert_eq!(&try_decode_all(&encoded, coding).unwrap(), &body);
            }
        }
    }
}
