//! Errors of what was asked for: the selection, names and formats.

use super::text::{becomes, did_you_mean, more};
use crate::digest::Digest;

/// What was asked for cannot be done with these inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// `--image` selects nothing.
    #[error("no image {wanted}{} available: {available}", did_you_mean(near.as_deref()))]
    NoSuchImage {
        /// As it was asked for.
        wanted: String,
        /// The name that was most likely meant.
        near: Option<String>,
        /// The available names.
        available: String,
    },
    /// `--image` has the beginning of more than one digest.
    #[error("{wanted} is the beginning of {first} and {second}")]
    AmbiguousDigest {
        /// As it was asked for.
        wanted: String,
        /// One of the digests.
        first: Digest,
        /// Another one.
        second: Digest,
    },
    /// `--platform` selects nothing.
    #[error("no image for {wanted}; available: {available}")]
    NoSuchPlatform {
        /// The requested platforms.
        wanted: String,
        /// The available platforms.
        available: String,
    },
    /// Everything selected was left out.
    #[error("nothing is left to convert: {first}{}", more(*.others))]
    NothingLeft {
        /// The first that was left out, and why.
        first: String,
        /// The number of others.
        others: usize,
    },
    /// Exactly one image is needed, but several match.
    #[error("expected one image, found {}: {}", .available.len(), .available.join(", "))]
    SeveralImages {
        /// A selector for each.
        available: Vec<String>,
    },
    /// One platform is needed, and more are there.
    #[error("expected one platform, since {target} has no index; available: {available}")]
    SeveralPlatforms {
        /// The output or its format.
        target: &'static str,
        /// The available platforms.
        available: String,
    },
    /// The format of the input has no manifests for single images.
    #[error("the input has no manifest for this image: docker save wrote none before Docker 25")]
    NoManifest {
        /// Whether the image has a config.
        has_config: bool,
    },
    /// The format of the input has no configs.
    #[error(
        "the input has no config for this image, only v1 metadata, from which a conversion creates one"
    )]
    NoConfig,
    /// `--name` needs exactly one image.
    #[error("`--name` needs exactly one image, but {count} are selected")]
    NameForMany {
        /// The number of selected images.
        count: usize,
    },
    /// A manifest or index would be another, which was not to be.
    #[error("{old} {}", becomes(new.as_ref()))]
    DigestChanges {
        /// In the input.
        old: Digest,
        /// In the output; `None` for an index of which not all would be there.
        new: Option<Digest>,
    },
    /// The same in a dry run, which does not compute the new digest.
    #[error("{old} would become another")]
    DigestWouldChange {
        /// In the input.
        old: Digest,
    },
    /// Something that this version cannot convert.
    #[error("{what} cannot be converted yet")]
    Unsupported {
        /// A noun phrase.
        what: String,
    },
    /// What the format of the output has no place for.
    #[error("{what} has no place in {format}")]
    NotInFormat {
        /// A noun phrase.
        what: String,
        /// The format of the output.
        format: &'static str,
    },
    /// Schema 1 is made of the history, with one entry for each layer.
    #[error(
        "the config's history has {history} entries that created a layer, expected {layers}, one for each layer of the image"
    )]
    HistoryMismatch {
        /// Entries that are not empty.
        history: usize,
        /// The image's layers.
        layers: usize,
    },
    /// Two images have the same name.
    #[error("two images are named {name}: {first} and {second}")]
    NameConflict {
        /// The name.
        name: String,
        /// Input and digest of the first image.
        first: String,
        /// Input and digest of the second image.
        second: String,
        /// Whether they are for different platforms.
        platforms_differ: bool,
    },
    /// Two parts of a multi-platform image that engines could not tell apart.
    #[error("two images are for {platform}: {first} and {second}")]
    SamePlatform {
        /// The platform.
        platform: String,
        /// Input and name of the first image.
        first: String,
        /// Input and name of the second image.
        second: String,
    },
    /// A part of a multi-platform image must have a platform.
    #[error("the config lacks os or architecture, which a part of a multi-platform image needs")]
    NoPlatform,
    /// A list of digests has something else in it.
    #[error(
        "{place}: {found:?} is not a digest, expected one such as sha256:0123456789abcdef… with 64 digits"
    )]
    NotADigest {
        /// Which line.
        place: String,
        /// What is there.
        found: String,
    },
    /// An option names what no engine takes.
    #[error("`{name}` is not an image name, expected one such as registry.local/app:1.0")]
    ImageName {
        /// As it was given.
        name: String,
    },
    /// Standard input has an image, and only a list of digests is read from there.
    #[error("it is not a list of digests")]
    NotAList,
    /// The output cannot be divided into volumes.
    #[error("`--volume-size` cannot be used with {output}")]
    NoVolumes {
        /// The option that names the output, or what it names.
        output: &'static str,
        /// What to type instead.
        hint: &'static str,
    },
    /// Options that contradict each other.
    #[error("`{option}` cannot be used with `{other}`")]
    Conflict {
        /// The option as it would be typed.
        option: &'static str,
        /// The option or value that it contradicts.
        other: &'static str,
        /// What to type instead.
        hint: &'static str,
    },
}

impl RequestError {
    /// Whether the command line itself is wrong, not the files that it names.
    pub(super) fn is_wrong_usage(&self) -> bool {
        matches!(
            self,
            RequestError::ImageName { .. }
                | RequestError::Conflict { .. }
                | RequestError::NoVolumes { .. }
        )
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            RequestError::NoSuchImage { .. } => {
                "select by name, by position such as `@0`, or by digest"
            }
            RequestError::AmbiguousDigest { .. } => "give more digits of the digest",
            RequestError::SeveralImages { .. } => {
                "select one with `--image`: by name, by position such as `@0`, or by digest"
            }
            RequestError::SeveralPlatforms { .. } => "select one with `--platform`",
            RequestError::NoManifest { has_config: true } => {
                "use `--config` to print its config; manifest.json in the archive lists its layers"
            }
            RequestError::NoManifest { has_config: false } | RequestError::NoConfig => {
                "convert it and inspect the result"
            }
            RequestError::NameForMany { .. } => "select one with `--image`",
            RequestError::DigestChanges { .. } | RequestError::DigestWouldChange { .. } => {
                "use the input's format and `--compression keep`, and `--missing keep` where images are missing; or convert without `--keep-digests`"
            }
            RequestError::NotInFormat { format, .. } if format.starts_with("a ") => {
                "use `--to layout`"
            }
            RequestError::NotInFormat { .. } => "use `--format oci`",
            RequestError::HistoryMismatch { .. } => "use `--format v2s2` or `--format oci`",
            RequestError::NameConflict {
                platforms_differ: true,
                ..
            } => "use `--index NAME` to make one multi-platform image of them",
            RequestError::NameConflict { .. } => {
                "convert them one by one with `--image` and `--name`"
            }
            RequestError::SamePlatform { .. } => {
                "leave one of them out, or select with `--image` or `--platform`"
            }
            RequestError::NotADigest { .. } => {
                "list one digest or diff_id per line, as `ocify inspect --digests` prints them"
            }
            RequestError::ImageName { .. } => {
                "use lower-case letters, digits, `.`, `_` and `-` in each part, and a tag of at most 128 letters, digits, `.`, `_` and `-`"
            }
            RequestError::NotAList => "save the image to a file, and name that",
            RequestError::NoVolumes { hint, .. } | RequestError::Conflict { hint, .. } => hint,
            RequestError::NoSuchPlatform { .. }
            | RequestError::NothingLeft { .. }
            | RequestError::Unsupported { .. }
            | RequestError::NoPlatform => return None,
        })
    }
}
