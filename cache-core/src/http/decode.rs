//! Content codings undone while a body passes.
//!
//! The pipeline stores bodies decoded and reads them as they are, so under its policy ours are decoded before they are
//! stored. What is stored already is decided by its bytes: the pipeline keeps `Content-Encoding` on what it decoded.

use std::io;
use std::io::Write;

use brotli::DecompressorWriter;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::transport::error::SendError;
use crate::transport::traits::Incoming;

/// What is sent to an origin whose answer will be decoded; aiohttp's default.
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// This much input is decoded at a time, so that a body made to burst is seen before it does.
const STEP: usize = 1 << 10;

/// What is handed on at once, where that much is there.
const ENOUGH: usize = 32 << 10;

/// The most that one step may become. Deflate cannot exceed a thousandfold; Brotli can.
const BURST: usize = 8 << 20;

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

impl Coding {
    /// The coding of this name; `None`: there is none, or none that we know.
    pub(crate) fn of(content_encoding: &str) -> Option<Self> {
        match content_encoding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            _ => None,
        }
    }

    /// Whether a stored body that begins like this still has the coding.
    pub(crate) fn is_on(self, start: &[u8]) -> bool {
        match self {
            Self::Gzip => start.starts_with(&[0x1f, 0x8b]),
            // These have no mark of their own, or one that is often left out: stored text is text.
            Self::Deflate | Self::Brotli => !start.is_empty() && !is_text(start),
        }
    }

    /// Whether a stored body that begins like this never had the coding, or has lost it. Only gzip has a mark of its own;
    /// of the others a short body may happen to look like text, but then it has the length that was told.
    pub(crate) fn is_belied(self, start: &[u8], has_its_length: bool) -> bool {
        match self {
            Self::Gzip => !start.is_empty() && !self.is_on(start),
            Self::Deflate | Self::Brotli => is_text(start) && !has_its_length,
        }
    }
}

/// The first bytes of a stored body, enough to tell what they are, and whether they are all that there are.
pub(crate) async fn start<E>(body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin)) -> Result<(Bytes, bool), E> {
    let mut start = Bytes::new();
    while start.len() < STEP {
        let Some(piece) = body.try_next().await? else { return Ok((start, true)) };
        start = if start.is_empty() { piece } else { [start, piece].concat().into() };
    }
    Ok((start, false))
}

/// Where a body comes from: what its header says of it is true, or was once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Origin,
    Store,
}

/// A body without its content coding. One that breaks off within the coding ends with an error.
pub(crate) fn decoded(body: Incoming, coding: Coding, from: From) -> Incoming {
    let decoding = Decoding { body: Some(body), input: Bytes::new(), coding, from, start: Vec::new(), decoder: None };
    Box::pin(stream::unfold(decoding, |mut decoding| async move {
        let piece = decoding.next().await?;
        if piece.is_err() {
            decoding.body = None;
        }
        Some((piece, decoding))
    }))
}

struct Decoding {
    /// `None`: the body has ended.
    body: Option<Incoming>,
    /// What has arrived and is still to be decoded.
    input: Bytes,
    coding: Coding,
    from: From,
    /// The first bytes, until there are enough of them to tell what they are.
    start: Vec<u8>,
    decoder: Option<Decoder>,
}

impl Decoding {
    async fn next(&mut self) -> Option<Result<Bytes, SendError>> {
        let mut out = Burst(Vec::new());
        while out.0.len() < ENOUGH {
            if !self.input.is_empty() {
                let step = self.input.split_to(self.input.len().min(STEP));
                if let Err(error) = self.step(&step, &mut out) {
                    return Some(Err(SendError::broken(error)));
                }
            } else if !out.0.is_empty() {
                break;
            } else {
                match self.body.as_mut()?.next().await {
                    Some(Ok(piece)) => self.input = piece,
                    Some(Err(error)) => return Some(Err(error)),
                    None => {
                        self.body = None;
                        if let Err(error) = self.end(&mut out) {
                            return Some(Err(SendError::broken(error)));
                        }
                        break;
                    }
                }
            }
        }
        (!out.0.is_empty()).then(|| Ok(out.0.into()))
    }

    fn step(&mut self, input: &[u8], out: &mut Burst) -> io::Result<()> {
        if let Some(decoder) = &mut self.decoder {
            return decoder.push(input, out);
        }
        self.start.extend_from_slice(input);
        let enough = if self.from == From::Origin { 2 } else { STEP };
        if self.start.len() < enough { Ok(()) } else { self.begin(out) }
    }

    fn begin(&mut self, out: &mut Burst) -> io::Result<()> {
        let start = std::mem::take(&mut self.start);
        self.decoder.insert(Decoder::of(self.coding, self.from, &start)).push(&start, out)
    }

    fn end(&mut self, out: &mut Burst) -> io::Result<()> {
        if self.decoder.is_none() {
            self.begin(out)?;
        }
        match &mut self.decoder {
            Some(decoder) => decoder.end(out),
            None => Ok(()),
        }
    }
}

/// What a body's first bytes were found to be.
enum Decoder {
    Plain,
    Gzip(Box<MultiGzDecoder<Burst>>),
    Deflate { inflate: Decompress, is_whole: bool },
    Brotli(Box<DecompressorWriter<Burst>>),
}

impl Decoder {
    fn of(coding: Coding, from: From, start: &[u8]) -> Self {
        let is_told = from == From::Origin && coding != Coding::Gzip && !start.is_empty();
        if !is_told && !coding.is_on(start) {
            return Self::Plain;
        }
        match coding {
            Coding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(Burst::default()))),
            // Some origins leave the header out.
            Coding::Deflate => Self::Deflate { inflate: Decompress::new(is_zlib(start)), is_whole: false },
            Coding::Brotli => Self::Brotli(Box::new(DecompressorWriter::new(Burst::default(), 4096))),
        }
    }

    fn push(&mut self, input: &[u8], out: &mut Burst) -> io::Result<()> {
        match self {
            Self::Plain => out.write_all(input),
            Self::Gzip(decoder) => {
                decoder.write_all(input)?;
                out.take(decoder.get_mut())
            }
            Self::Brotli(decoder) => {
                decoder.write_all(input)?;
                out.take(decoder.get_mut())
            }
            Self::Deflate { inflate, is_whole } => inflated(inflate, is_whole, input, out),
        }
    }

    fn end(&mut self, out: &mut Burst) -> io::Result<()> {
        match self {
            Self::Plain | Self::Deflate { is_whole: true, .. } => Ok(()),
            Self::Gzip(decoder) => {
                decoder.try_finish()?;
                out.take(decoder.get_mut())
            }
            Self::Brotli(decoder) => {
                decoder.close()?;
                out.take(decoder.get_mut())
            }
            Self::Deflate { .. } => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn inflated(inflate: &mut Decompress, is_whole: &mut bool, mut input: &[u8], out: &mut Burst) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while !*is_whole {
        let before = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(input, &mut buffer, FlushDecompress::None)?;
        let (read, written) = (inflate.total_in() - before.0, inflate.total_out() - before.1);
        input = &input[read as usize..];
        out.write_all(&buffer[..written as usize])?;
        *is_whole = status == Status::StreamEnd;
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

/// Whether a body begins as text.
pub(crate) fn is_text(body: &[u8]) -> bool {
    // The last character may be cut.
    std::str::from_utf8(&body[..body.len().min(STEP)]).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Decoded bytes, up to a limit for one step.
#[derive(Default)]
struct Burst(Vec<u8>);

impl Burst {
    fn take(&mut self, from: &mut Self) -> io::Result<()> {
        let bytes = std::mem::take(&mut from.0);
        if self.0.is_empty() {
            self.0 = bytes;
            return Ok(());
        }
        self.write_all(&bytes)
    }
}

impl Write for Burst {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > BURST {
            return Err(io::Error::other("decoded body exceeds the size limit"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let params = ::brotli::enc::BrotliEncoderParams { quality: 3, ..Default::default() };
        ::brotli::BrotliCompress(&mut bytes, &mut out, &params).unwrap();
        out
    }

    /// A body in pieces of this size, decoded.
    fn run(body: &[u8], size: usize, coding: Coding, from: From) -> Result<Vec<u8>, SendError> {
        let pieces: Vec<_> = body.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let pieces = decoded(Box::pin(stream::iter(pieces)), coding, from);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(pieces.try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        }))
    }

    proptest! {
        #[test]
        fn every_coding_is_undone_however_it_is_cut(
            body in proptest::collection::vec(any::<u8>(), 0..1_000), times in 1..60_usize, size in 1..3_000_usize,
        ) {
            let body = body.repeat(times);
            for (encoded, coding) in [
                (gzip(&body), Coding::Gzip),
                (zlib(&body), Coding::Deflate),
                (raw(&body), Coding::Deflate),
                (brotli(&body), Coding::Brotli),
            ] {
                prop_assert_eq!(&run(&encoded, size, coding, From::Origin).unwrap(), &body);
            }
        }

        #[test]
        fn whatever_is_stored_is_no_panic(body in proptest::collection::vec(any::<u8>(), 0..200), size in 1..50_usize) {
            for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
                let _ = run(&body, size, coding, From::Store);
            }
        }
    }

    #[test]
    fn a_body_that_is_cut_within_its_coding_is_an_error() {
        let body = b"one piece of a body ".repeat(50);
        for (mut encoded, coding) in [
            (gzip(&body), Coding::Gzip),
            (zlib(&body), Coding::Deflate),
            (raw(&body), Coding::Deflate),
            (brotli(&body), Coding::Brotli),
        ] {
            encoded.truncate(encoded.len() - 3);
            assert!(run(&encoded, 7, coding, From::Origin).is_err(), "{coding:?}");
        }
    }

    #[test]
    fn what_the_pipeline_decoded_before_storing_stays_as_it_is() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            for body in [&b""[..], b"{", br#"{"plain": 1}"#] {
                assert_eq!(run(body, 5, coding, From::Store).unwrap(), body, "{coding:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_body_is_judged_by_more_than_a_short_first_piece() {
        let body = brotli(&b"one piece of a body ".repeat(200));
        let stored =
            |pieces: [&[u8]; 3]| stream::iter(pieces.map(|piece| Ok::<_, SendError>(Bytes::copy_from_slice(piece))));
        let (start, is_whole) = start(&mut stored([b"", &body[..1], &body[1..]])).await.unwrap();
        assert_eq!((&start[..], is_whole), (&body[..], true));
        assert!(is_text(&body[..1]) && !Coding::Brotli.is_belied(&start, false));

        let long = [0; STEP];
        let mut pieces = stored([b"1", &long, b"2"]);
        let (start, is_whole) = super::start(&mut pieces).await.unwrap();
        assert_eq!((start.len(), is_whole), (1 + STEP, false));
        assert_eq!(pieces.try_next().await.unwrap().unwrap(), "2");
    }

    #[test]
    fn a_body_made_to_burst_is_an_error() {
        let bomb = brotli(&vec![0; 2 * BURST]);
        assert!(bomb.len() < STEP, "{}", bomb.len());
        assert!(run(&bomb, 512, Coding::Brotli, From::Origin).is_err());
    }
}
