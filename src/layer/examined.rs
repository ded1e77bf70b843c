//! The result of reading a blob: its digests and findings.

use super::Job;
use super::examination::Seen;
use super::source::ReadToEnd;
use crate::compression::Codec;
use crate::digest::{DiffId, Digest};
use crate::findings::{Code, Finding, Place, Response};

/// The result of reading a blob as far as possible.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Codec in the input. `None` if the blob was not read to its end.
    pub codec: Option<Codec>,
    /// Digest of the bytes in the input. `None` if they were not read to their end, or if it is not needed.
    source_digest: Option<Digest>,
    /// Digest of the decoded bytes. `None` if they were not decoded to their end.
    pub diff_id: Option<DiffId>,
    /// All findings about the blob.
    pub findings: Vec<Finding>,
    /// Whether the blob is an empty file.
    empty: bool,
    /// The first bytes, if they are neither those of a tar nor of a known codec.
    not_tar: Option<String>,
}

impl Examined {
    /// `source_digest` is the digest of all bytes that were read.
    pub(super) fn new(
        job: &Job,
        read: ReadToEnd,
        source_digest: Option<Digest>,
        seen: Seen,
    ) -> Examined {
        let code = read.flaw.as_ref().map(|flaw| flaw.code);
        let unread = matches!(code, Some(Code::Unreadable | Code::LayerSize));
        // If the stream is damaged, the decoded bytes are not the layer's tar.
        let whole = matches!(code, None | Some(Code::LayerTrailingData));
        let mut examined = Examined {
            codec: (!unread).then_some(job.codec),
            source_digest: source_digest.filter(|_| !unread),
            diff_id: (whole && job.action.decodes()).then_some(DiffId(seen.digest)),
            findings: Vec::new(),
            empty: job.content.size() == 0,
            not_tar: seen.not_tar,
        };
        let place = &job.place;
        let mut findings: Vec<Finding> = read.flaw.map(|flaw| flaw.at(place)).into_iter().collect();
        let diff_id = job.diff_id;
        findings.extend(diff_id.and_then(|diff_id| examined.diff_id_mismatch(&diff_id, place)));
        let digest = job.digest;
        findings.extend(digest.and_then(|digest| examined.digest_mismatch(&digest, place)));
        let nothing_tells = job.action.decodes() && diff_id.is_none();
        if let (true, Some(beginning)) = (whole && nothing_tells, &examined.not_tar) {
            let message = format!("unknown codec: {beginning}");
            findings.push(Finding::new(Code::LayerCodec, place, message));
        } else if whole {
            // An empty file cannot have an end-of-archive marker.
            let tar = seen.tar.into_iter();
            let tar = tar.filter(|(code, _)| !(examined.empty && *code == Code::LayerTarNoEnd));
            findings.extend(tar.map(|(code, message)| Finding::new(code, place, message)));
        }
        examined.findings = findings;
        examined
    }

    /// The first finding that stops a conversion.
    pub(super) fn stops(&self) -> Option<&Finding> {
        let mut findings = self.findings.iter();
        findings.find(|finding| finding.code.response() == Response::Stops)
    }

    /// Compares the digest of the bytes in the input. Digests of other algorithms were not computed.
    pub fn digest_mismatch(&self, expected: &Digest, place: &Place) -> Option<Finding> {
        let found = self.source_digest?;
        let mismatch = || Finding::mismatch(Code::BlobDigest, place, "digest", expected, &found);
        differ(expected, &found).then(mismatch)
    }

    /// Compares the digest of the decoded bytes. Digests of other algorithms were not computed.
    pub fn diff_id_mismatch(&self, expected: &DiffId, place: &Place) -> Option<Finding> {
        let found = self.diff_id?;
        if !differ(&expected.0, &found.0) {
            return None;
        }
        if self.empty && *expected == DiffId(Digest::sha256(&[0; 1024])) {
            let message = "the layer is an empty file, expected an empty tar";
            return Some(Finding::new(Code::LayerEmptyFile, place, message));
        }
        let mut finding = Finding::mismatch(Code::LayerDiffId, place, "diff_id", expected, &found);
        if let Some(beginning) = &self.not_tar {
            finding.message = format!("{}; {beginning}", finding.message);
        }
        Some(finding)
    }
}

fn differ(expected: &Digest, found: &Digest) -> bool {
    expected.algorithm() == found.algorithm() && expected != found
}
