//! Zstandard (RFC 8878) decoded step by step: the driver wants whole blocks.

use std::io::{self, Write};

use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// The longest frame header: magic number, descriptor, window, dictionary and content size.
const MAX_FRAME_HEADER: usize = 18;

/// Decodes frames that follow each other.
#[derive(Default)]
pub(crate) struct ZstdDecoder {
    frames: FrameDecoder,
    /// Received and not decoded yet: less than a block, or less than a frame header.
    input: Vec<u8>,
    is_in_frame: bool,
    /// Bytes of a skippable frame that are still to come.
    skipped: usize,
}

impl ZstdDecoder {
    pub(crate) fn push(&mut self, input: &[u8], out: &mut impl Write) -> io::Result<()> {
        self.input.extend_from_slice(input);
        self.decode(false, out)
    }

    /// Fails where the input ended within a frame.
    pub(crate) fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.decode(true, out)?;
        let is_complete = !self.is_in_frame && self.skipped == 0 && self.input.is_empty();
        if is_complete { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn decode(&mut self, is_end: bool, out: &mut impl Write) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            if self.skipped > 0 {
                let skipped = self.skipped.min(self.input.len());
                self.input.drain(..skipped);
                self.skipped -= skipped;
            }
            if !self.is_in_frame {
                if self.input.is_empty() || !is_end && self.input.len() < MAX_FRAME_HEADER {
                    return Ok(());
                }
                self.begin_frame()?;
                continue;
            }
            let (read, written) = self
                .frames
                .decode_from_to(&self.input, &mut buffer)
                .map_err(|error| io::Error::other(error.to_string()))?;
            // The decoder requests four bytes while a checksum has not arrived yet.
            let is_short = read > self.input.len();
            if !is_short {
                self.input.drain(..read);
            }
            out.write_all(&buffer[..written])?;
            if self.frames.is_finished() && self.frames.can_collect() == 0 {
                self.is_in_frame = false;
            } else if is_short || read == 0 && written == 0 {
                return Ok(());
            }
        }
    }

    fn begin_frame(&mut self) -> io::Result<()> {
        let mut rest = &self.input[..];
        let outcome = self.frames.reset(&mut rest);
        let read = self.input.len() - rest.len();
        match outcome {
            Ok(()) => self.is_in_frame = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                self.skipped = length as usize;
            }
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
        self.input.drain(..read);
        Ok(())
    }
}
