//! The paths in a layer's tar: duplicates, and paths that leave the root.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Number of paths that a message names. The others are counted.
const NAMED: usize = 3;

/// Number of characters of a path in a message.
const NAMED_CHARS: usize = 256;

/// The paths seen so far, as keyed hashes. The probability that two of 2^20 paths share a hash is 2^-25.
#[derive(Default)]
pub(crate) struct Paths {
    keys: RandomState,
    pub seen: HashSet<u64>,
    /// Maximum number of paths to remember.
    pub max: usize,
    pub full: bool,
    pub twice: Named,
    pub outside: Named,
}

/// The first few of many paths, and how many there are.
#[derive(Default)]
pub(crate) struct Named {
    first: Vec<String>,
    pub count: usize,
}

impl Named {
    pub fn add(&mut self, path: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            let short: String = path.chars().take(NAMED_CHARS).collect();
            let dots = if short.len() < path.len() { "…" } else { "" };
            self.first.push(short + dots);
        }
    }

    pub fn describe(&self) -> String {
        let more = self.count - self.first.len();
        let named = self.first.join(", ");
        match more {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }
}

impl Paths {
    /// Remembers up to `max` paths, at 9 to 18 bytes each.
    pub fn new(max: usize) -> Paths {
        Paths {
            max,
            ..Paths::default()
        }
    }

    pub fn add(&mut self, path: &[u8]) {
        let components = || {
            let components = path.split(|byte| *byte == b'/');
            components.filter(|component| !matches!(*component, b"" | b"."))
        };
        if components().any(|component| component == b"..") {
            self.outside.add(&String::from_utf8_lossy(path));
        }
        if self.seen.len() >= self.max {
            self.full = true;
            return;
        }
        let mut hasher = self.keys.build_hasher();
        for component in components() {
            hasher.write(component);
            hasher.write_u8(b'/');
        }
        if !self.seen.insert(hasher.finish()) {
            let components: Vec<&[u8]> = components().collect();
            self.twice
                .add(&String::from_utf8_lossy(&components.join(&b'/')));
        }
    }
}
