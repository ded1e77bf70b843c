//! How far a run is, for whoever wants to show it.

/// Is told how far the layers are. Called from several threads.
pub trait Progress: Sync {
    /// Something begins that is not about layers. It lasts until the next call of this or of [`Progress::total`].
    fn step(&self, _step: &Step<'_>) {}
    /// How many bytes of the step are done in all.
    fn reached(&self, _bytes: u64) {}
    /// The layers to come: how many, and how many bytes of input they are in all. Told again when all begins anew,
    /// because something was wrong with the cache or with an input.
    fn total(&self, _layers: usize, _bytes: u64) {}
    /// Layer `number` of `bytes` is begun.
    fn start(&self, _number: usize, _bytes: u64) {}
    /// `bytes` more of it are done: decoded and, where that is asked for, encoded.
    fn advance(&self, _number: usize, _bytes: u64) {}
    /// It is done.
    fn finish(&self, _number: usize) {}
}

/// What may take long besides layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A compressed input, or one that comes by a pipe, is read to its end.
    Read {
        /// The input as it was named.
        input: &'a str,
        /// How many bytes there are to be read, where that is known.
        bytes: Option<u64>,
    },
    /// The headers of an archive are read.
    Index {
        /// The input as it was named.
        input: &'a str,
        /// How long the archive is.
        bytes: u64,
    },
    /// The finished tar of this many bytes is compressed.
    Compress {
        /// How many bytes it has.
        bytes: u64,
    },
    /// The output is completed and put in its place.
    Publish,
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {}
