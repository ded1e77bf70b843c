//! The jobs of a plan: one for each distinct blob, however many images share it.

use std::collections::{HashMap, HashSet};

use super::Check;
use crate::compression::{Codec, Compression, Encoding};
use crate::digest::{DiffId, Digest};
use crate::error::{Result, ResultExt};
use crate::findings::Place;
use crate::image::{Blob, TarLayer};
use crate::layer::{Action, Destination, Job, Remade};
use crate::source::{Content, ContentId};

pub(super) struct Jobs {
    pub list: Vec<Job>,
    /// Checks of other copies of a layer in the same input.
    copies: Vec<Job>,
    /// The contents of layers with their expected `diff_ids`.
    contents: HashSet<(ContentId, DiffId)>,
    numbers: HashMap<JobKey, usize>,
    compression: Compression,
    check: Check,
}

/// Two blobs of the inputs with the same key become one blob of the output.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum JobKey {
    /// A layer whose bytes are kept.
    Kept(Digest, Option<DiffId>),
    /// A blob that is not a layer, copied unchanged.
    Carried(Digest),
    /// A layer that is encoded, from the first copy.
    Encoded(DiffId),
    /// A layer without known digests.
    Place(ContentId),
}

/// An empty tar: two zero blocks.
const EMPTY_TAR: [u8; 1024] = [0; 1024];

impl Jobs {
    pub fn new(compression: Compression, check: Check) -> Jobs {
        Jobs {
            list: Vec::new(),
            copies: Vec::new(),
            contents: HashSet::new(),
            numbers: HashMap::new(),
            compression,
            check,
        }
    }

    /// The number of a layer's job, and the codec of the layer in the input. In a part of an output the layers are as they
    /// are to be in the whole.
    pub fn layer(
        &mut self,
        layer: &TarLayer,
        is_part: bool,
        place: &Place,
    ) -> Result<(usize, Codec)> {
        let place = &match &layer.fill {
            Some(fill) => Place {
                input: Some(fill.source.clone()),
                ..place.clone()
            },
            None => place.clone(),
        };
        let content = content(layer);
        let codec = content.codec().at(|| place.clone())?;
        let remade = remade(layer);
        // The codec in the input, if another copy of the layer replaces the blob.
        let own_codec = remade
            .as_ref()
            .map_or(codec, |(encoding, _)| encoding.codec());
        let keeps_all = is_part && self.compression == Compression::Keep;
        let encoding = self.compression.encoding(own_codec).filter(|_| !keeps_all);
        let (action, key) = match (encoding, &remade, layer.digest) {
            (Some(encoding), ..) => {
                let key = layer.diff_id.map(JobKey::Encoded);
                (Action::Encode(encoding), key)
            }
            (None, Some((encoding, remade)), _) => {
                let key = JobKey::Kept(remade.digest, layer.diff_id);
                (Action::Encode(*encoding), Some(key))
            }
            (None, None, digest) => {
                let decode =
                    self.check == Check::Full || digest.is_none() || layer.diff_id.is_none();
                let encoded = layer.diff_id.map(JobKey::Encoded);
                let key = digest.map(|digest| JobKey::Kept(digest, layer.diff_id));
                (Action::Keep { decode }, key.or(encoded))
            }
        };
        let key = key.unwrap_or_else(|| JobKey::Place(layer.content.id()));
        let is_kept = matches!(action, Action::Keep { .. });
        let in_output = layer.fill.as_ref().is_some_and(|fill| fill.in_output);
        let job = Job {
            codec,
            action,
            digest: layer.digest,
            diff_id: layer.diff_id,
            place: place.clone(),
            content,
            entry: None,
            destination: if is_kept && in_output {
                Destination::InPlace
            } else {
                Destination::UnlessKnown
            },
            remade: remade
                .filter(|(encoding, _)| action == Action::Encode(*encoding))
                .map(|(_, remade)| remade),
            recipe: None,
        };
        let is_new = layer
            .diff_id
            .is_some_and(|diff_id| self.contents.insert((layer.content.id(), diff_id)));
        let number = match self.numbers.get(&key) {
            Some(&number) => {
                if is_new && self.list[number].place.input == place.input {
                    self.copies.push(Job {
                        action: Action::Check { decode: true },
                        remade: None,
                        ..job
                    });
                }
                number
            }
            None => self.number(key, job),
        };
        Ok((number, own_codec))
    }

    /// All jobs. Those that only check another copy of a layer come last.
    pub fn into_list(mut self) -> Vec<Job> {
        self.list.append(&mut self.copies);
        self.list
    }

    /// The number of the job of a blob that is copied unchanged.
    pub fn blob(&mut self, blob: &Blob, destination: Destination, place: &Place) -> usize {
        let digest = blob.descriptor.digest;
        let job = Job {
            content: blob.content.clone(),
            codec: Codec::None,
            action: Action::Keep { decode: false },
            digest: Some(digest),
            diff_id: None,
            place: place.clone(),
            entry: None,
            destination,
            remade: None,
            recipe: None,
        };
        self.number(JobKey::Carried(digest), job)
    }

    fn number(&mut self, key: JobKey, job: Job) -> usize {
        let next = self.list.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.list.push(job);
        } else if job.destination == Destination::Always {
            self.list[number].destination = Destination::Always;
        }
        number
    }
}

/// The encoding of a layer that replaces a blob, and the expected result.
fn remade(layer: &TarLayer) -> Option<(Encoding, Remade)> {
    let fill = layer.fill.as_ref()?;
    let remade = Remade {
        digest: layer.descriptor.as_ref()?.digest,
        encoder: fill.encoder.clone(),
    };
    Some((fill.encoding?, remade))
}

/// Some engines saved empty layers as empty files (<https://github.com/moby/moby/issues/18170>). If the `diff_id` is that of an
/// empty tar, an empty tar is written.
fn content(layer: &TarLayer) -> Content {
    let empty_tar = || Some(DiffId(Digest::sha256(&EMPTY_TAR)));
    if layer.content.size() == 0 && layer.diff_id == empty_tar() {
        return Content::in_memory(&EMPTY_TAR);
    }
    layer.content.clone()
}
