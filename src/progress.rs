//! How far a conversion is, for whoever wants to show it.

/// Is told how far the layers are. Called from several threads.
pub trait Progress: Sync {
    /// The layers to come: how many, and how many bytes of input they are in all. Told again when all begins anew,
    /// because something was wrong with the cache.
    fn total(&self, _layers: usize, _bytes: u64) {}
    /// Layer `number` of `bytes` is begun.
    fn start(&self, _number: usize, _bytes: u64) {}
    /// `bytes` more of it have been read.
    fn advance(&self, _number: usize, _bytes: u64) {}
    /// It is done.
    fn finish(&self, _number: usize) {}
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {}
