//! The contents of an input. Each distinct content is read once, however many images share it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use crate::compression::Codec;
use crate::digest::{DiffId, Digest};
use crate::error::Result;
use crate::findings::{Code, Finding, Place};
use crate::formats::{Input, Loose, too_many};
use crate::image::{Blob, Config, Layer, Manifest, Node, TarLayer};
use crate::layer::{Action, Destination, Examined, Job, Pipeline};
use crate::limits;
use crate::source::{Content, ContentId};

/// The contents to read, and the images that use them as layers.
#[derive(Default)]
pub(super) struct Contents<'a> {
    pub images: Vec<Image>,
    wanted: Vec<Wanted>,
    /// Blobs that no document refers to, and that nothing else wants. There may be a million of them.
    loose: Vec<&'a Loose>,
    positions: HashMap<ContentId, usize>,
}

/// An image whose layers are compared with its config.
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
    pub number: ContentNumber,
}

/// The number of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ContentNumber(usize);

/// A distinct content with everything that it must match.
struct Wanted {
    content: Content,
    /// Place of its first use.
    place: Place,
    digests: BTreeSet<Digest>,
    /// Whether no document refers to it.
    is_loose: bool,
    is_layer: bool,
    diff_ids: BTreeSet<DiffId>,
}

/// The results of reading the contents.
pub(super) struct Outcomes {
    examined: Vec<Examined>,
    /// The range of results of each content.
    contents: Vec<Range<usize>>,
}

impl Outcomes {
    fn of(&self, number: ContentNumber) -> &[Examined] {
        &self.examined[self.contents[number.0].clone()]
    }

    /// The codec of a layer, if the layer could be read.
    pub fn codec(&self, number: ContentNumber) -> Option<Codec> {
        self.of(number).iter().find_map(|examined| examined.codec)
    }

    /// The digest of the decoded bytes, by the algorithm of `like`.
    pub fn diff_id(&self, number: ContentNumber, like: &DiffId) -> Option<DiffId> {
        let mut found = self.of(number).iter().filter_map(|one| one.diff_id);
        found.find(|found| found.0.algorithm() == like.0.algorithm())
    }

    pub fn diff_id_mismatch(
        &self,
        number: ContentNumber,
        expected: &DiffId,
        place: &Place,
    ) -> Option<Finding> {
        let mut examined = self.of(number).iter();
        examined.find_map(|one| one.diff_id_mismatch(expected, place))
    }
}

impl<'a> Contents<'a> {
    /// The contents of all images and artifacts of an input.
    pub fn of(input: &'a Input) -> Contents<'a> {
        let mut contents = Contents::default();
        for (position, entry) in input.entries.iter().enumerate() {
            contents.node(&entry.node, &Place::image(entry.label(position)));
        }
        let mut seen = HashSet::new();
        for loose in &input.loose {
            let id = loose.content.id();
            if let Some(&position) = contents.positions.get(&id) {
                let wanted = &mut contents.wanted[position];
                wanted.digests.insert(loose.digest);
                wanted.is_loose = true;
            } else if seen.insert((id, loose.digest)) {
                contents.loose.push(loose);
            }
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
        // The order can be checked only if no layer is missing.
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

    /// Number of distinct files that are checked, including documents.
    pub fn count(&self, documents: &HashSet<ContentId>) -> usize {
        let loose = self.loose.iter().map(|loose| loose.content.id());
        let mut files: HashSet<ContentId> = loose.collect();
        files.extend(documents.iter().chain(self.positions.keys()).cloned());
        files.len()
    }

    /// Reads all contents that something refers to.
    pub fn read(&self, pipeline: &Pipeline<'_>) -> Result<Outcomes> {
        let mut jobs = Vec::new();
        let mut contents = Vec::new();
        for wanted in &self.wanted {
            let first = jobs.len();
            jobs.extend(wanted.jobs());
            contents.push(first..jobs.len());
        }
        Ok(Outcomes {
            examined: examine(pipeline, &jobs)?,
            contents,
        })
    }

    /// Reads the blobs that nothing refers to, some at a time, and returns their problems.
    pub fn loose_findings(&self, pipeline: &Pipeline<'_>) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for batch in self.loose.chunks(LOOSE_BATCH) {
            let wanted: Vec<Wanted> = batch.iter().map(|loose| Wanted::loose(loose)).collect();
            let jobs: Vec<Job> = wanted.iter().flat_map(Wanted::jobs).collect();
            let examined = examine(pipeline, &jobs)?;
            let read = wanted.iter().zip(examined.chunks(1));
            findings.extend(read.flat_map(|(wanted, examined)| wanted.findings(examined)));
            if findings.len() > limits::FINDINGS {
                findings.truncate(limits::FINDINGS);
                findings.push(too_many());
                break;
            }
        }
        Ok(findings)
    }

    /// The problems of each content, regardless of the images that use it.
    pub fn findings(&self, outcomes: &Outcomes) -> Vec<Finding> {
        let wanted = self.wanted.iter().enumerate();
        wanted
            .flat_map(|(number, wanted)| wanted.findings(outcomes.of(ContentNumber(number))))
            .collect()
    }
}

/// How many unreferenced blobs are read at a time.
const LOOSE_BATCH: usize = 4096;

/// Reads contents.
fn examine(pipeline: &Pipeline<'_>, jobs: &[Job]) -> Result<Vec<Examined>> {
    let bytes = jobs.iter().map(|job| job.content.size()).sum();
    pipeline.progress.total(jobs.len(), bytes);
    pipeline.examine(jobs)
}

impl Wanted {
    /// A blob that no document refers to.
    fn loose(loose: &Loose) -> Wanted {
        Wanted {
            content: loose.content.clone(),
            place: Place::file(&loose.file),
            digests: BTreeSet::from([loose.digest]),
            is_loose: true,
            is_layer: false,
            diff_ids: BTreeSet::new(),
        }
    }

    /// One job for each pair of expected algorithms, which is nearly always a single one.
    fn jobs(&self) -> Vec<Job> {
        // Errors are reported when the content is read.
        let codec = if self.is_layer {
            self.content.codec().unwrap_or(Codec::None)
        } else {
            Codec::None
        };
        let mut jobs = Vec::new();
        for digest in one_of_each(&self.digests, Digest::algorithm) {
            for diff_id in one_of_each(&self.diff_ids, |diff_id| diff_id.0.algorithm()) {
                jobs.push(Job {
                    content: self.content.clone(),
                    codec,
                    action: Action::Check {
                        decode: self.is_layer,
                    },
                    digest,
                    diff_id,
                    place: self.place.clone(),
                    entry: None,
                    destination: Destination::Always,
                    remade: None,
                    recipe: None,
                });
            }
        }
        jobs
    }

    fn findings(&self, examined: &[Examined]) -> Vec<Finding> {
        let code = if self.is_loose {
            Code::UnreferencedDamaged
        } else {
            Code::BlobDigest
        };
        let mut findings = Vec::new();
        for expected in &self.digests {
            let mut examined = examined.iter();
            let mismatch = examined.find_map(|one| one.digest_mismatch(expected, &self.place));
            findings.extend(mismatch.map(|finding| Finding {
                code,
                severity: code.severity(),
                ..finding
            }));
        }
        // diff_ids are compared for each image, because its layers may be in another order.
        let compared = [Code::BlobDigest, Code::LayerDiffId, Code::LayerEmptyFile];
        let others = examined.iter().flat_map(|one| &one.findings);
        findings.extend(others.filter(|one| !compared.contains(&one.code)).cloned());
        findings
    }
}

/// One digest of each algorithm, or a single `None` if there are none.
fn one_of_each<D: Copy>(
    digests: &BTreeSet<D>,
    algorithm: impl Fn(&D) -> &'static str,
) -> Vec<Option<D>> {
    let mut first: Vec<Option<D>> = Vec::new();
    for digest in digests {
        let known = |one: &D| algorithm(one) == algorithm(digest);
        if !first.iter().flatten().any(known) {
            first.push(Some(*digest));
        }
    }
    if first.is_empty() {
        first.push(None);
    }
    first
}
