//! The progress of a run.

/// Receives progress. Its functions are called from several threads.
pub trait Progress: Sync {
    /// A step other than layers starts. It lasts until the next call of this function or of [`Progress::total`].
    fn step(&self, _step: &Step<'_>) {}
    /// The step has processed this many bytes in total.
    fn reached(&self, _bytes: u64) {}
    /// The number of layers and their total number of input bytes. Called again if the run restarts because of a damaged cache
    /// or input.
    fn total(&self, _layers: usize, _bytes: u64) {}
    /// Layer `number` with `bytes` bytes starts.
    fn start(&self, _number: usize, _bytes: u64) {}
    /// `bytes` more bytes of layer `number` have been decoded and, if required, encoded.
    fn advance(&self, _number: usize, _bytes: u64) {}
    /// Layer `number` is finished.
    fn finish(&self, _number: usize) {}
}

/// A step that may take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A compressed input, or one from a pipe, is read completely.
    Read {
        /// The input as the user named it.
        input: &'a str,
        /// The number of bytes to read, if known.
        bytes: Option<u64>,
    },
    /// The headers of an archive are read.
    Index {
        /// The input as the user named it.
        input: &'a str,
        /// The length of the archive.
        bytes: u64,
    },
    /// The finished tar is compressed.
    Compress {
        /// The size of the tar in bytes.
        bytes: u64,
    },
    /// The output is completed and published.
    Publish,
}

/// Ignores progress.
pub struct Silent;

impl Progress for Silent {}
