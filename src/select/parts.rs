//! The converted parts of a selected image: selected platforms, and handling of missing images.

use std::collections::HashSet;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Result, ResultExt};
use crate::findings::{Code, Finding, Place};
use crate::image::{Descriptor, Index, Node, Platform, REFERENCE_DIGEST};

/// What to do about images that an index lists and the input lacks, as when an engine saved one platform of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Missing {
    /// Leave them out with a warning, while something is left.
    #[default]
    Drop,
    /// Keep them in the index, whose bytes and digest stay.
    Keep,
    /// Fail.
    Error,
}

/// Leaves out parts of one image.
pub(super) struct Parts<'a> {
    platforms: &'a [Platform],
    missing: Missing,
    /// The missing images, for the message.
    absent: Vec<String>,
    /// The images of other platforms.
    pub left_out: HashSet<Digest>,
    /// The positions of the platforms that an image is for.
    pub met: HashSet<usize>,
}

impl<'a> Parts<'a> {
    pub fn new(platforms: &'a [Platform], missing: Missing) -> Parts<'a> {
        Parts {
            platforms,
            missing,
            absent: Vec::new(),
            left_out: HashSet::new(),
            met: HashSet::new(),
        }
    }

    /// The warning about missing images.
    pub fn warning(&self, place: &Place) -> Option<Finding> {
        if self.absent.is_empty() {
            return None;
        }
        let done = match self.missing {
            Missing::Keep => "kept in the index",
            Missing::Drop | Missing::Error => "left out",
        };
        let message = format!(
            "missing from the input and {done}: {}",
            self.absent.join(", ")
        );
        Some(Finding::new(Code::PlatformAbsent, place, message))
    }

    /// The remaining part of a node. `None` if nothing is left.
    pub fn of(&mut self, node: Node) -> Result<Option<Node>> {
        self.of_described(node, None)
    }

    /// `said` is the platform in the node's descriptor.
    fn of_described(&mut self, node: Node, said: Option<&Platform>) -> Result<Option<Node>> {
        match node {
            Node::Manifest(manifest) => {
                let own = manifest.platform().map(|own| own.with_variant_of(said));
                let fits = own.as_ref().is_none_or(|own| self.wants(own));
                let node = Node::Manifest(manifest);
                if !fits {
                    self.left_out.extend(node.digest());
                } else if node.has_image() {
                    self.meet([said, own.as_ref()]);
                }
                Ok(fits.then_some(node))
            }
            Node::Blob(blob) => Ok(Some(Node::Blob(blob))),
            Node::Index(index) => self.of_index(Arc::unwrap_or_clone(index)),
            Node::Absent {
                descriptor,
                missing,
            } => {
                if self.missing == Missing::Error {
                    return Err(Error::Absent { name: missing });
                }
                self.meet([said, descriptor.platform.as_ref()]);
                self.absent.push(label(&descriptor));
                Ok((self.missing == Missing::Keep).then_some(Node::Absent {
                    descriptor,
                    missing,
                }))
            }
        }
    }

    fn of_index(&mut self, index: Index) -> Result<Option<Node>> {
        let before = index.children.len();
        let absent: HashSet<String> = index
            .children
            .iter()
            .filter(|(_, child)| matches!(child, Node::Absent { .. }))
            .map(|(descriptor, _)| descriptor.digest.to_string())
            .collect();
        let mut dropped = HashSet::new();
        let mut children = Vec::with_capacity(before);
        for (descriptor, child) in index.children {
            let own = match &child {
                Node::Manifest(manifest) => manifest.platform(),
                _ => None,
            };
            let said = descriptor.platform.as_ref();
            let said = said.map(|said| said.with_variant_of(own));
            let said = said.as_ref();
            let kept = if said.is_some_and(|said| !is_unknown(said) && !self.wants(said)) {
                // Images of other platforms may be missing or damaged.
                self.left_out.insert(descriptor.digest);
                child.walk(&mut |node| self.left_out.extend(node.digest()));
                None
            } else if self.missing != Missing::Error
                && matches!(child, Node::Absent { .. })
                && is_about(&descriptor, &absent)
            {
                // Its subject is missing too, which has a warning.
                (self.missing == Missing::Keep).then_some(child)
            } else {
                let kept = self.of_described(child, said);
                kept.at(|| Place::image(label(&descriptor)))?
            };
            match kept {
                Some(child) => children.push((descriptor, child)),
                None => {
                    dropped.insert(descriptor.digest.to_string());
                }
            }
        }
        // An attestation is left out with its subject.
        for (descriptor, _) in &children {
            dropped.remove(&descriptor.digest.to_string());
        }
        children.retain(|(descriptor, _)| !is_about(descriptor, &dropped));
        if children.len() < before && children.len() <= 1 {
            return Ok(children.pop().map(|(_, child)| child));
        }
        Ok(Some(Node::Index(Arc::new(Index {
            document: index.document,
            children,
        }))))
    }

    /// Notes the platforms that an image is for. `known` is what is known of its platform; if that is nothing, it may be any.
    fn meet(&mut self, known: [Option<&Platform>; 2]) {
        let fits = |wanted: &Platform| known.iter().flatten().all(|own| own.fits(wanted));
        let met = self.platforms.iter().enumerate();
        let met = met.filter(|(_, wanted)| fits(wanted));
        self.met.extend(met.map(|(number, _)| number));
    }

    fn wants(&self, platform: &Platform) -> bool {
        let mut platforms = self.platforms.iter();
        self.platforms.is_empty() || platforms.any(|wanted| platform.fits(wanted))
    }
}

/// The label of a part in messages.
fn label(descriptor: &Descriptor) -> String {
    let platform = descriptor.platform.as_ref();
    let platform = platform.filter(|platform| !is_unknown(platform));
    platform.map_or_else(|| descriptor.digest.to_string(), ToString::to_string)
}

/// Whether it is an attestation about one of these digests.
fn is_about(descriptor: &Descriptor, digests: &HashSet<String>) -> bool {
    let about = descriptor.annotation(REFERENCE_DIGEST);
    about.is_some_and(|about| digests.contains(about))
}

/// Attestations have the platform `unknown/unknown`.
fn is_unknown(platform: &Platform) -> bool {
    platform.os == "unknown" && platform.architecture == "unknown"
}
