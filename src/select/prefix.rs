//! Digests of which only the beginning is given.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{ImageSelector, wanted};
use crate::digest::Digest;
use crate::error::{RequestError, Result};
use crate::formats::Input;

/// As many digits as git shows: fewer are too easily those of a name.
const MIN_DIGITS: usize = 7;

/// Replaces prefixes of digests of the inputs by the digests. A prefix that is also the name of an image stays a name.
///
/// # Errors
/// [`RequestError::AmbiguousDigest`].
pub(super) fn complete<'a>(
    selectors: &'a [ImageSelector],
    inputs: &[Input],
) -> Result<Cow<'a, [ImageSelector]>> {
    let is_beginning = |selector: &ImageSelector| digits(selector).is_some();
    if !selectors.iter().any(is_beginning) {
        return Ok(Cow::Borrowed(selectors));
    }
    let completed = selectors.iter().map(|selector| match digits(selector) {
        Some(digits) => find(selector, digits, inputs),
        None => Ok(selector.clone()),
    });
    completed.collect::<Result<Vec<_>>>().map(Cow::Owned)
}

/// The digits of a possible prefix of a digest.
fn digits(selector: &ImageSelector) -> Option<&str> {
    let ImageSelector::Name(name) = selector else {
        return None;
    };
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_beginning = (MIN_DIGITS..=64).contains(&digits.len()) && digits.bytes().all(is_digit);
    is_beginning.then_some(digits)
}

fn find(selector: &ImageSelector, digits: &str, inputs: &[Input]) -> Result<ImageSelector> {
    let mut found: BTreeSet<Digest> = BTreeSet::new();
    for entry in inputs.iter().flat_map(|input| &input.entries) {
        let is_name = |name: &Option<String>| name.as_deref() == Some(digits);
        if entry.references.iter().any(|one| is_name(&one.name)) {
            return Ok(selector.clone());
        }
        entry.node.walk(&mut |node| {
            let digests = wanted::digests(node).into_iter().flatten();
            found.extend(digests.filter(|digest| digest.hex().starts_with(digits)));
        });
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(digest), None) => Ok(ImageSelector::Digest(digest)),
        (None, _) => Ok(selector.clone()),
        (Some(first), Some(second)) => Err(RequestError::AmbiguousDigest {
            wanted: digits.to_owned(),
            first,
            second,
        }
        .into()),
    }
}
