//! The encoder: from a chunk to its blocks.

use crate::bits::BitWriter;
use crate::block;
use crate::parse::Parse;
use crate::split::Splitter;
use crate::window::Window;
use crate::{Level, MAX_CHUNK, WINDOW};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A deflate encoder that can be used again and again. It takes about 5 MB.
pub struct Encoder {
    level: Level,
    parser: Box<dyn Parse>,
    splitter: Splitter,
    window: Window,
}

impl Encoder {
    /// An encoder for a level.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self {
            level,
            parser: level.parser(),
            splitter: Splitter::new(level.candidate_sequences()),
            window: Window::new(),
        }
    }

    /// The level that the encoder was made for.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Appends the deflate blocks of `chunk` to `out`; they end at a byte boundary.
    ///
    /// `dictionary` is what comes before the chunk in the stream, of which the last [`WINDOW`] bytes are used; matches
    /// reach into it. Empty for the first chunk, or where the chunk shall be decodable on its own.
    ///
    /// When `last`, the last block is marked as the last of the stream. Otherwise an empty stored block brings the
    /// blocks to a byte boundary, as a flush of zlib does, and the blocks of the next chunk can follow.
    ///
    /// What is appended depends on the level and the arguments alone: not on earlier calls, not on the machine. It is at
    /// most [`bound`] bytes long. A chunk longer than [`MAX_CHUNK`] is encoded as chunks of that length.
    pub fn encode(&mut self, dictionary: &[u8], chunk: &[u8], last: bool, out: &mut Vec<u8>) {
        let mut dictionary = tail(dictionary);
        let mut rest = chunk;
        while rest.len() > MAX_CHUNK {
            let (part, next) = rest.split_at(MAX_CHUNK);
            self.encode_part(dictionary, part, false, out);
            dictionary = tail(part);
            rest = next;
        }
        self.encode_part(dictionary, rest, last, out);
    }

    fn encode_part(&mut self, dictionary: &[u8], chunk: &[u8], last: bool, out: &mut Vec<u8>) {
        let start = out.len();
        self.window.fill(dictionary, chunk);
        let mut bits = BitWriter::new(out);
        let end = dictionary.len() + chunk.len();
        self.splitter.begin(dictionary.len());
        self.parser
            .parse(&self.window, dictionary.len(), end, &mut self.splitter, &mut bits);
        self.splitter.finish(&self.window, &mut bits, last);
        if !last {
            block::write_stored(&mut bits, &[], false);
        }
        bits.finish();
        // Each block is at most as long as stored, but several may be longer than one.
        if out.len() - start > stored_length(chunk.len(), last) {
            out.truncate(start);
            let mut bits = BitWriter::new(out);
            block::write_stored(&mut bits, chunk, last);
            if !last {
                block::write_stored(&mut bits, &[], false);
            }
            bits.finish();
        }
    }
}

impl core::fmt::Debug for Encoder {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Encoder")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

fn tail(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(WINDOW)..]
}

/// The bytes of a stored block without its content.
const STORED_HEADER: usize = 5;

fn stored_length(chunk: usize, last: bool) -> usize {
    let blocks = chunk.div_ceil(0xffff).max(1) + usize::from(!last);
    chunk + STORED_HEADER * blocks
}

/// The most bytes that [`Encoder::encode`] appends for a chunk of this length: 5 more for each 16 KiB or part of it, and
/// 10 more at the end. The value saturates.
#[must_use]
pub const fn bound(chunk_len: usize) -> usize {
    chunk_len
        .saturating_add(STORED_HEADER * chunk_len.div_ceil(16 * 1024))
        .saturating_add(2 * STORED_HEADER)
}
