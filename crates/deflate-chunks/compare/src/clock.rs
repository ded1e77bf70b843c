//! The time that this thread was on a core, which other programs disturb less than the time that passed.

use rustix::time::{ClockId, clock_gettime};

/// Seconds on a core so far.
pub fn seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
