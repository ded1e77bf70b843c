//! How much may be decoded of each input, so that a small input cannot keep the program busy for hours.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Job;
use crate::limits;

/// The decoded bytes of all layers of an input.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicU64,
    /// Maximum in bytes.
    pub limit: u64,
}

impl Budget {
    /// Counts decoded bytes. Returns whether the limit allows them.
    pub fn take(&self, bytes: u64) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.limit
    }
}

/// The budget of each job's input. Cache entries have none, because this program wrote them.
pub(super) fn of_inputs(jobs: &[Job]) -> Vec<Option<Arc<Budget>>> {
    let mut on_disk: HashMap<Option<&str>, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for job in jobs.iter().filter(|job| job.entry.is_none()) {
        let (container, size) = job.content.container();
        let input = on_disk.entry(job.place.input.as_deref()).or_default();
        if seen.insert(container) {
            *input = input.saturating_add(size);
        }
    }
    let budget = |on_disk| {
        Arc::new(Budget {
            used: AtomicU64::new(0),
            limit: limits::decoded(on_disk),
        })
    };
    let budgets = on_disk.into_iter();
    let budgets: HashMap<_, _> = budgets.map(|(input, size)| (input, budget(size))).collect();
    let of = |job: &Job| budgets.get(&job.place.input.as_deref()).cloned();
    jobs.iter()
        .map(|job| of(job).filter(|_| job.entry.is_none()))
        .collect()
}
