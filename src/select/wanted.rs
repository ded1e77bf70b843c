//! The parts of each entry that `--image` selects.

use std::collections::{HashMap, HashSet};

use super::ImageSelector;
use crate::digest::Digest;
use crate::image::{Entry, Node, Reference, fully_qualified};

/// The selectors, each with its position on the command line.
pub(super) struct Wanted<'a> {
    selectors: &'a [ImageSelector],
    names: HashMap<&'a str, usize>,
    full_names: HashMap<String, usize>,
    positions: HashMap<usize, usize>,
    digests: HashMap<Digest, usize>,
    /// The selectors that have selected something.
    met: HashSet<usize>,
}

impl<'a> Wanted<'a> {
    pub fn new(selectors: &'a [ImageSelector]) -> Wanted<'a> {
        let mut wanted = Wanted {
            selectors,
            names: HashMap::new(),
            full_names: HashMap::new(),
            positions: HashMap::new(),
            digests: HashMap::new(),
            met: HashSet::new(),
        };
        for (number, selector) in selectors.iter().enumerate() {
            match selector {
                ImageSelector::Name(name) => {
                    wanted.names.insert(name, number);
                    wanted.full_names.insert(fully_qualified(name), number);
                }
                ImageSelector::Position(position) => {
                    wanted.positions.insert(*position, number);
                }
                ImageSelector::Digest(digest) => {
                    wanted.digests.insert(*digest, number);
                }
            }
        }
        wanted
    }

    /// The selected parts of an entry: all of it, some of its names, or images in its index.
    pub fn of(&mut self, position: usize, entry: &Entry) -> Vec<Entry> {
        if self.selectors.is_empty() {
            return vec![entry.clone()];
        }
        let mut whole = false;
        if let Some(number) = self.positions.get(&position) {
            self.met.insert(*number);
            whole = true;
        }
        let mut inner = Vec::new();
        let mut found = HashSet::new();
        entry.node.walk(&mut |node| {
            for digest in digests(node).into_iter().flatten() {
                let Some(number) = self.digests.get(&digest) else {
                    continue;
                };
                self.met.insert(*number);
                if !found.insert(*number) {
                    continue;
                }
                if node.digest() == entry.node.digest() {
                    whole = true;
                } else {
                    inner.push(Entry {
                        references: vec![Reference::default()],
                        node: node.clone(),
                    });
                }
            }
        });
        let references: Vec<Reference> = entry
            .references
            .iter()
            .filter(|reference| self.names_it(reference) || whole)
            .cloned()
            .collect();
        if !references.is_empty() {
            let node = entry.node.clone();
            inner.insert(0, Entry { references, node });
        }
        inner
    }

    /// Whether a name selects the reference, as in the input or fully qualified.
    fn names_it(&mut self, reference: &Reference) -> bool {
        let name = reference.name.as_deref();
        let full = reference.containerd_name.as_deref();
        // A reference without a full name has the one that Docker would give it, so `app` matches `app:latest`.
        let whole = match full {
            Some(full) => Some(full.to_owned()),
            None => name.map(fully_qualified),
        };
        let numbers = [
            name.and_then(|name| self.names.get(name)),
            full.and_then(|full| self.names.get(full)),
            whole.and_then(|whole| self.full_names.get(&whole)),
        ];
        let numbers: Vec<usize> = numbers.into_iter().flatten().copied().collect();
        self.met.extend(&numbers);
        !numbers.is_empty()
    }

    /// The first selector that has selected nothing.
    pub fn unmet(&self) -> Option<&ImageSelector> {
        self.selectors
            .iter()
            .find(|selector| !self.is_met(selector))
    }

    /// Whether a selector has selected something. Repeated selectors count once.
    pub fn is_met(&self, selector: &ImageSelector) -> bool {
        let numbers = match selector {
            ImageSelector::Name(name) => {
                let full = self.full_names.get(&fully_qualified(name));
                [self.names.get(name.as_str()), full]
            }
            ImageSelector::Position(position) => [self.positions.get(position), None],
            ImageSelector::Digest(digest) => [self.digests.get(digest), None],
        };
        let mut numbers = numbers.into_iter().flatten();
        numbers.any(|number| self.met.contains(number))
    }
}

/// The digests that select a node: of its manifest or index, its config, and its schema 1 payload.
pub(super) fn digests(node: &Node) -> [Option<Digest>; 3] {
    let Node::Manifest(manifest) = node else {
        return [node.digest(), None, None];
    };
    let schema1 = manifest.schema1.as_ref();
    [
        node.digest(),
        manifest.image_id(),
        schema1.map(|schema1| schema1.digest),
    ]
}
