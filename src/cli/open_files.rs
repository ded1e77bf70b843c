//! How many files the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as the system lets us: most systems begin with 1024, for the sake of programs that use
/// `select(2)`.
pub fn raise_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where that is refused, the old limit does too.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}
