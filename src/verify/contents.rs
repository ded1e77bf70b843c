//! The contents of an input that are to be read: each distinct one once, however many images have it.

use std::collections::{BTreeSet, HashMap, HashSet};

use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::layer::{self, Outcome, Question};
use crate::digest::{DiffId, Digest};
use crate::error::Result;
use crate::findings::{Code, Finding, Place};
use crate::formats::{Input, Loose};
use crate::image::{Blob, Config, Layer, Manifest, Node, TarLayer};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::source::{Content, ContentId};

/// What is to be read, and which image has it as which layer.
#[derive(Default)]
pub(super) struct Contents {
    pub images: Vec<Image>,
    wanted: Vec<Wanted>,
    positions: HashMap<ContentId, usize>,
}

/// An image whose layers are to be compared with its config.
pub(super) struct Image {
    pub place: Place,
    pub layers: Vec<LayerUse>,
}

/// A layer of an image.
pub(super) struct LayerUse {
    pub place: Place,
    /// From the config.
    pub diff_id: Option<DiffId>,
    /// From the manifest.
    pub media_type: Option<String>,
    /// Length in bytes.
    pub size: u64,
    pub number: ContentNumber,
}

/// A content among those to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ContentNumber(usize);

/// A distinct content.
struct Wanted {
    content: Content,
    /// Of its first use.
    place: Place,
    digests: BTreeSet<Digest>,
    /// Whether nothing refers to it.
    is_loose: bool,
    is_layer: bool,
    diff_ids: BTreeSet<DiffId>,
}

/// What the contents turned out to be.
pub(super) struct Outcomes(Vec<Outcome>);

impl Outcomes {
    pub fn of(&self, number: ContentNumber) -> &Outcome {
        &self.0[number.0]
    }
}

impl Contents {
    /// All contents that the images and artifacts of an input have.
    pub fn of(input: &Input) -> Contents {
        let mut contents = Contents::default();
        for (position, entry) in input.entries.iter().enumerate() {
            contents.node(&entry.node, &Place::image(entry.label(position)));
        }
        for Loose {
            content,
            digest,
            file,
        } in &input.loose
        {
            let number = contents.want(content, Some(*digest), &Place::file(file));
            contents.wanted[number.0].is_loose = true;
        }
        contents
    }

    fn node(&mut self, node: &Node, place: &Place) {
        match node {
            Node::Manifest(manifest) => self.manifest(manifest, place),
            Node::Index(index) => {
                for (descriptor, child) in &index.children {
                    self.node(child, &place.below(&descriptor.label()));
                }
            }
            Node::Blob(blob) => self.blob(blob, place),
            Node::Absent { .. } => {}
        }
    }

    fn manifest(&mut self, manifest: &Manifest, place: &Place) {
        if let Config::Other(blob) = &manifest.config {
            self.blob(blob, place);
        }
        let of = manifest.layers.len();
        let mut layers = Vec::new();
        for (position, layer) in manifest.layers.iter().enumerate() {
            let place = place.at_layer(position, of);
            match layer {
                Layer::Tar(layer) => layers.push(self.layer(layer, &place)),
                Layer::Other(blob) => self.blob(blob, &place),
                Layer::Absent { .. } => {}
            }
        }
        // Whether they are in another order can be told only where all are there.
        let place = place.clone();
        self.images.push(Image { place, layers });
    }

    fn blob(&mut self, blob: &Blob, place: &Place) {
        let digest = Some(blob.descriptor.digest);
        self.want(&blob.content, digest, &place.in_file(&blob.file));
    }

    fn layer(&mut self, layer: &TarLayer, place: &Place) -> LayerUse {
        let place = place.in_file(&layer.file);
        let number = self.want(&layer.content, layer.digest, &place);
        let wanted = &mut self.wanted[number.0];
        wanted.is_layer = true;
        wanted.diff_ids.extend(layer.diff_id);
        let descriptor = layer.descriptor.as_ref();
        LayerUse {
            place,
            diff_id: layer.diff_id,
            media_type: descriptor.map(|descriptor| descriptor.media_type.clone()),
            size: layer.content.size(),
            number,
        }
    }

    fn want(&mut self, content: &Content, digest: Option<Digest>, place: &Place) -> ContentNumber {
        let next = self.wanted.len();
        let position = *self.positions.entry(content.id()).or_insert(next);
        if position == next {
            self.wanted.push(Wanted {
                content: content.clone(),
                place: place.clone(),
                digests: BTreeSet::new(),
                is_loose: false,
                is_layer: false,
                diff_ids: BTreeSet::new(),
            });
        }
        self.wanted[position].digests.extend(digest);
        ContentNumber(position)
    }

    /// How many distinct files are checked, those that were read as documents included.
    pub fn count(&self, documents: &HashSet<ContentId>) -> usize {
        let read_twice = documents
            .iter()
            .filter(|id| self.positions.contains_key(id));
        documents.len() + self.wanted.len() - read_twice.count()
    }

    /// Reads all contents, each once.
    pub fn read(
        &mut self,
        pool: &ThreadPool,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Outcomes> {
        let bytes = self.wanted.iter().map(|wanted| wanted.content.size()).sum();
        progress.total(self.wanted.len(), bytes);
        // The largest first, so that none is what everybody waits for in the end.
        let mut order: Vec<usize> = (0..self.wanted.len()).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(self.wanted[number].content.size()));
        let read = |number: usize| {
            let wanted = &self.wanted[number];
            let question = Question {
                content: &wanted.content,
                digests: wanted.digests.iter().copied().collect(),
                layer: wanted.is_layer,
                diff_ids: wanted.diff_ids.iter().copied().collect(),
            };
            progress.start(number, wanted.content.size());
            let outcome = layer::ask(
                &question,
                &|count| progress.advance(number, count),
                interrupt,
            )?;
            progress.finish(number);
            Ok((number, outcome))
        };
        // One by one, since a blob is far more work than handing it to a thread.
        let outcomes: Result<Vec<(usize, Outcome)>> =
            pool.install(|| order.into_par_iter().with_max_len(1).map(read).collect());
        let mut outcomes = outcomes?;
        outcomes.sort_unstable_by_key(|(number, _)| *number);
        let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome);
        Ok(Outcomes(outcomes.collect()))
    }

    /// What is wrong with each content in itself.
    pub fn findings(&self, outcomes: &Outcomes) -> Vec<Finding> {
        let contents = self.wanted.iter().zip(&outcomes.0);
        contents
            .flat_map(|(wanted, outcome)| own_findings(wanted, outcome))
            .collect()
    }
}

fn own_findings(wanted: &Wanted, outcome: &Outcome) -> Vec<Finding> {
    let mut findings = Vec::new();
    let code = if wanted.is_loose {
        Code::UnreferencedDamaged
    } else {
        Code::BlobDigest
    };
    for expected in &wanted.digests {
        let found = outcome.digests.as_deref().unwrap_or_default();
        match layer::of_algorithm(found, expected) {
            Some(found) if found != *expected => {
                let place = &wanted.place;
                findings.push(Finding::mismatch(code, place, "digest", expected, &found));
            }
            _ => {}
        }
    }
    // That a saved layer of no bytes has no end-of-archive marker is told in other words where it is compared.
    let empty = wanted.content.size() == 0;
    for (code, message) in &outcome.problems {
        if !(empty && *code == Code::LayerTarNoEnd) {
            findings.push(Finding::new(*code, &wanted.place, message.as_str()));
        }
    }
    findings
}
