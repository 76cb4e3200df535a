//! Stored bodies made readable: content codings undone, for showing only. Pure.
//!
//! The pipeline's client decompresses before storing and keeps `Content-Encoding`, so the bytes decide, not the header.

use std::borrow::Cow;
use std::io::Read;

/// No body is unpacked beyond this many bytes: what is cached is untrusted.
pub const DECODED_LIMIT: u64 = 64 << 20;

/// Undoes the content coding of a stored body; a body that is not what the header says, or would become longer
/// than [`DECODED_LIMIT`], is returned as it is.
///
/// `content_encoding` is the response's header.
pub fn decoded<'a>(body: &'a [u8], content_encoding: Option<&str>) -> Cow<'a, [u8]> {
    let coding = content_encoding.unwrap_or_default().trim().to_ascii_lowercase();
    let unpacked = match body {
        [0x1f, 0x8b, ..] => read(flate2::read::MultiGzDecoder::new(body)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ruzstd::decoding::StreamingDecoder::new(body).ok().and_then(read),
        // These have no mark of their own, and some plain texts happen to decode: valid UTF-8 is taken as it is.
        _ if std::str::from_utf8(body).is_ok() => None,
        _ if coding == "deflate" => {
            read(flate2::read::ZlibDecoder::new(body)).or_else(|| read(flate2::read::DeflateDecoder::new(body)))
        }
        _ if coding == "br" => read(brotli::Decompressor::new(body, 4096)),
        _ => None,
    };
    unpacked.map_or(Cow::Borrowed(body), Cow::Owned)
}

fn read(from: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    from.take(DECODED_LIMIT + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= DECODED_LIMIT).then_some(out)
}

#[cfg(test)]
mod tests {
    use crate::format::title::title;

    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_bytes_decide_whether_a_body_is_compressed() {
        assert_eq!(decoded(b"{\"plain\": 1}", Some("gzip")), &b"{\"plain\": 1}"[..]);
        assert_eq!(decoded(&gzip(b"hello"), Some("gzip")), &b"hello"[..]);
        assert_eq!(decoded(&gzip(b"hello"), None), &b"hello"[..]);
        for coding in ["br", "deflate"] {
            for body in [&b"plain"[..], b"{\n  \"data\": 1}"] {
                assert_eq!(decoded(body, Some(coding)), body, "{coding}");
            }
        }
        let mut cut = gzip(&[b'x'; 100]);
        cut.truncate(cut.len() / 2);
        assert_eq!(decoded(&cut, Some("gzip")), cut.as_slice());
    }

    #[test]
    fn a_title_is_found_in_json_that_is_cut_off() {
        assert_eq!(
            title(br#"{"data":{"Media":{"id":1,"title":{"romaji":"Cowboy \"Bebop\"","eng"#).as_deref(),
            Some("Cowboy \"Bebop\"")
        );
        assert_eq!(title(br#"{"title": "One Piece"}"#).as_deref(), Some("One Piece"));
        assert_eq!(title(br#"{"title": null, "name": "x"}"#).as_deref(), Some("x"));
        assert_eq!(title(br#"{"title": "cut o"#), None);
        assert_eq!(title(b""), None);
    }
}
