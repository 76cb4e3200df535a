//! Decoding of content codings while a body is streamed.
//!
//! Under the pipeline's policy, bodies are stored decoded, as the pipeline stores them. The bytes of a stored body
//! decide whether it is encoded: the pipeline keeps `Content-Encoding` on decoded bodies.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::format::content_coding::{ContentCoding, DECODED_LIMIT, Decoder, STEP};
use crate::transport::error::TransportError;
use crate::transport::traits::BodyStream;

/// The `Accept-Encoding` of requests with a response that will be decoded: aiohttp's default.
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// Decoded chunks have at least this size if there is enough input.
const MIN_CHUNK: usize = 32 << 10;

/// The largest output of one step. Deflate expands a thousandfold at most; Brotli and Zstandard have no such bound.
const MAX_CHUNK: usize = 8 << 20;

/// How many times its encoded length a body may have beyond [`DECODED_LIMIT`]: text expands tenfold, a decompression
/// bomb a thousandfold.
const MAX_RATIO: u64 = 100;

/// The first bytes of a stored body, enough to detect its coding, and whether they are the whole body.
pub(crate) async fn start<E>(body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin)) -> Result<(Bytes, bool), E> {
    let mut start = Bytes::new();
    while start.len() < STEP {
        let Some(chunk) = body.try_next().await? else { return Ok((start, true)) };
        start = if start.is_empty() { chunk } else { [start, chunk].concat().into() };
    }
    Ok((start, false))
}

/// Where a body comes from: the header of a stored body may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySource {
    Origin,
    Store,
}

/// A body without its content coding. A body that is truncated within the coding, or is a decompression bomb, ends with
/// an error.
pub(crate) fn decoded(body: BodyStream, coding: ContentCoding, from: BodySource) -> BodyStream {
    let decoding = Decoding {
        body: Some(body),
        input: Bytes::new(),
        coding,
        from,
        start: Vec::new(),
        decoder: None,
        read: 0,
        written: 0,
    };
    Box::pin(stream::unfold(decoding, |mut decoding| async move {
        let chunk = decoding.next().await?;
        if chunk.is_err() {
            decoding.body = None;
        }
        Some((chunk, decoding))
    }))
}

struct Decoding {
    /// `None`: the body has ended.
    body: Option<BodyStream>,
    /// Received and not decoded yet.
    input: Bytes,
    coding: ContentCoding,
    from: BodySource,
    /// The first bytes, until there are enough of them to detect the coding.
    start: Vec<u8>,
    decoder: Option<Decoder>,
    /// The length of what was decoded so far.
    read: u64,
    /// The length of the chunks so far.
    written: u64,
}

impl Decoding {
    async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        // Checked after the chunk that exceeds the limit, so that collecting the body fails by its length.
        if is_bomb(self.read, self.written) {
            return Some(Err(TransportError::broken("the body is a decompression bomb")));
        }
        let mut out = Vec::new();
        while out.len() < MIN_CHUNK {
            if !self.input.is_empty() {
                let step = self.input.split_to(self.input.len().min(STEP));
                self.read += step.len() as u64;
                if let Err(error) = self.step(&step, &mut out) {
                    return Some(Err(TransportError::broken(error)));
                }
            } else if !out.is_empty() {
                break;
            } else {
                match self.body.as_mut()?.next().await {
                    Some(Ok(chunk)) => self.input = chunk,
                    Some(Err(error)) => return Some(Err(error)),
                    None => {
                        self.body = None;
                        if let Err(error) = self.end(&mut out) {
                            return Some(Err(TransportError::broken(error)));
                        }
                        break;
                    }
                }
            }
        }
        self.written += out.len() as u64;
        (!out.is_empty()).then(|| Ok(out.into()))
    }

    fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(decoder) = &mut self.decoder {
            return decoder.push(input, out);
        }
        self.start.extend_from_slice(input);
        let enough = match (self.from, self.coding) {
            (BodySource::Store, _) => STEP,
            (BodySource::Origin, ContentCoding::Zstd) => 4,
            (BodySource::Origin, _) => 2,
        };
        if self.start.len() < enough { Ok(()) } else { self.begin(out) }
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let start = std::mem::take(&mut self.start);
        // For codings without a magic number, the header of the origin decides.
        let has_magic = matches!(self.coding, ContentCoding::Gzip | ContentCoding::Zstd);
        let is_believed = self.from == BodySource::Origin && !has_magic && !start.is_empty();
        let coding = Some(self.coding).filter(|coding| is_believed || coding.is_encoded(&start));
        self.decoder.insert(Decoder::new(coding, &start, MAX_CHUNK)).push(&start, out)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.decoder.is_none() {
            self.begin(out)?;
        }
        self.decoder.as_mut().map_or(Ok(()), |decoder| decoder.finish(out))
    }
}

fn is_bomb(read: u64, written: u64) -> bool {
    written > DECODED_LIMIT && written / MAX_RATIO > read
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::content_coding::is_text;
    use crate::format::content_coding::tests::{brotli, encodings};

    const CODINGS: [ContentCoding; 4] =
        [ContentCoding::Gzip, ContentCoding::Deflate, ContentCoding::Brotli, ContentCoding::Zstd];

    /// A body in chunks of this size, decoded.
    fn run(body: &[u8], size: usize, coding: ContentCoding, from: BodySource) -> Result<Vec<u8>, TransportError> {
        let chunks: Vec<_> = body.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let chunks = decoded(Box::pin(stream::iter(chunks)), coding, from);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(chunks.try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        }))
    }

    proptest! {
        #[test]
        fn every_coding_is_undone_in_chunks_of_any_size(
            body in proptest::collection::vec(any::<u8>(), 0..1_000), times in 1..60_usize, size in 1..3_000_usize,
        ) {
            let body = body.repeat(times);
            for (encoded, coding) in encodings(&body) {
                prop_assert_eq!(&run(&encoded, size, coding, BodySource::Origin).unwrap(), &body);
            }
        }

        #[test]
        fn any_stored_body_is_no_panic(body in proptest::collection::vec(any::<u8>(), 0..200), size in 1..50_usize) {
            for coding in CODINGS {
                let _ = run(&body, size, coding, BodySource::Store);
            }
        }
    }

    #[test]
    fn body_truncated_within_its_coding_is_an_error() {
        let body = b"one piece of a body ".repeat(50);
        for (mut encoded, coding) in encodings(&body) {
            encoded.truncate(encoded.len() - 3);
            assert!(run(&encoded, 7, coding, BodySource::Origin).is_err(), "{coding:?}");
        }
    }

    #[test]
    fn body_stored_decoded_is_unchanged() {
        for coding in CODINGS {
            for body in [&b""[..], b"{", br#"{"plain": 1}"#] {
                assert_eq!(run(body, 5, coding, BodySource::Store).unwrap(), body, "{coding:?}");
            }
        }
    }

    #[tokio::test]
    async fn coding_is_detected_beyond_a_short_first_chunk() {
        let body = brotli(&b"one piece of a body ".repeat(200));
        let stored = |chunks: [&[u8]; 3]| {
            stream::iter(chunks.map(|chunk| Ok::<_, TransportError>(Bytes::copy_from_slice(chunk))))
        };
        let (start, is_whole) = start(&mut stored([b"", &body[..1], &body[1..]])).await.unwrap();
        assert_eq!((&start[..], is_whole), (&body[..], true));
        assert!(is_text(&body[..1]) && !ContentCoding::Brotli.contradicts_header(&start, false));

        let long = [0; STEP];
        let mut chunks = stored([b"1", &long, b"2"]);
        let (start, is_whole) = super::start(&mut chunks).await.unwrap();
        assert_eq!((start.len(), is_whole), (1 + STEP, false));
        assert_eq!(chunks.try_next().await.unwrap().unwrap(), "2");
    }

    #[test]
    fn decompression_bomb_is_an_error() {
        let bomb = brotli(&vec![0; 2 * MAX_CHUNK]);
        assert!(bomb.len() < STEP, "{}", bomb.len());
        assert!(run(&bomb, 512, ContentCoding::Brotli, BodySource::Origin).is_err());
    }

    #[test]
    fn long_body_is_a_bomb_only_beyond_the_ratio() {
        for (read, written, expected) in [
            (600, 67_108_864, false),
            (600_000, 67_108_965, true),
            (671_089, 67_108_965, false),
            (10 << 30, 100 << 30, false),
            (1 << 30, 101 << 30, true),
        ] {
            assert_eq!(is_bomb(read, written), expected, "{read} {written}");
        }
    }
}
