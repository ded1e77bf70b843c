//! The limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as the system allows. Most systems start with 1024 for programs that use `select(2)`.
pub fn raise_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // If that fails, the old limit is enough.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}
