//! How much may be decoded of each input, so that a small input cannot keep the program busy for hours.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Job;
use crate::limits;

/// The decoded bytes of all layers of an input.
#[derive(Debug)]
pub(super) struct Budget {
    /// Everything that was read or decoded.
    used: AtomicU64,
    /// What a decoder made, with the archive if it was decoded itself. Decoding takes much longer than reading.
    decoded: AtomicU64,
    /// Maximum of each in bytes.
    pub limit: u64,
    pub is_of_decoded_archive: bool,
}

impl Budget {
    /// For a decoded archive of `archive` bytes, or 0, and an input of `on_disk` bytes.
    fn new(archive: u64, on_disk: u64) -> Budget {
        Budget {
            used: AtomicU64::new(0),
            decoded: AtomicU64::new(archive),
            limit: limits::decoded(on_disk),
            is_of_decoded_archive: archive > 0,
        }
    }

    /// Counts the bytes of a layer. Returns whether the limit allows them.
    pub fn take(&self, bytes: u64, is_decoded: bool) -> bool {
        let count = |counter: &AtomicU64| {
            let before = counter.fetch_add(bytes, Ordering::Relaxed);
            before.saturating_add(bytes) <= self.limit
        };
        count(&self.used) && (!is_decoded || count(&self.decoded))
    }
}

/// The budget of each job's input. Cache entries have none, because this program wrote them.
pub(super) fn of_inputs(jobs: &[Job]) -> Vec<Option<Arc<Budget>>> {
    let mut sizes: HashMap<Option<&str>, (u64, u64)> = HashMap::new();
    let mut seen = HashSet::new();
    for job in jobs.iter().filter(|job| job.entry.is_none()) {
        let (container, size, on_disk) = job.content.container();
        let input = sizes.entry(job.place.input.as_deref()).or_default();
        if seen.insert(container) {
            let decoded = if on_disk < size { size } else { 0 };
            input.0 = input.0.saturating_add(decoded);
            input.1 = input.1.saturating_add(on_disk);
        }
    }
    let budgets = sizes.into_iter();
    let budgets: HashMap<_, _> = budgets
        .map(|(input, (archive, on_disk))| (input, Arc::new(Budget::new(archive, on_disk))))
        .collect();
    let of = |job: &Job| budgets.get(&job.place.input.as_deref()).cloned();
    jobs.iter()
        .map(|job| of(job).filter(|_| job.entry.is_none()))
        .collect()
}
