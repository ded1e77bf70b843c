//! The threads that process layers.

use std::io;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// A pool with the requested number of threads, or one for each core.
pub(crate) fn thread_pool(threads: Option<usize>) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .thread_name(|number| format!("layer-{number}"))
        .build();
    pool.map_err(|error| Error::io("start the threads for", "the layers")(io::Error::other(error)))
}
