//! The threads that layers are worked on by.

use std::io;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// As many threads as are asked for, or as there are cores.
pub(crate) fn thread_pool(threads: Option<usize>) -> Result<ThreadPool> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .thread_name(|number| format!("layer-{number}"))
        .build();
    pool.map_err(|error| Error::io("start the threads for", "the layers")(io::Error::other(error)))
}
