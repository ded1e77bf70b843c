//! The selection in each of several inputs, for commands that handle one input after another.

use std::collections::HashSet;

use super::parts::{Missing, Parts};
use super::wanted::Wanted;
use super::{ImageSelector, Selection, prefix};
use crate::error::Result;
use crate::formats::Input;

impl Selection {
    /// The part of the selection that each input has. `None` for an input that has nothing of it.
    ///
    /// # Errors
    /// [`RequestError::NoSuchImage`] and [`RequestError::NoSuchPlatform`] if no input has an image or a platform, and
    /// [`RequestError::AmbiguousDigest`]. For an input that has nothing: the problem that may be the reason.
    ///
    /// [`RequestError::NoSuchImage`]: crate::RequestError::NoSuchImage
    /// [`RequestError::NoSuchPlatform`]: crate::RequestError::NoSuchPlatform
    /// [`RequestError::AmbiguousDigest`]: crate::RequestError::AmbiguousDigest
    pub fn in_each(&self, inputs: &[Input]) -> Result<Vec<Result<Option<Selection>>>> {
        if let Err(error) = self.shown(inputs) {
            // Nothing can be selected from an archive that is cut short.
            inputs.iter().try_for_each(check)?;
            return Err(error);
        }
        let images = prefix::complete(&self.images, inputs)?;
        let found = inputs.iter().map(|input| {
            let found = self.in_one(&images, input)?;
            if found.is_none() {
                check(input)?;
            }
            Ok(found)
        });
        Ok(found.collect())
    }

    fn in_one(&self, images: &[ImageSelector], input: &Input) -> Result<Option<Selection>> {
        let mut wanted = Wanted::new(images);
        let mut met = HashSet::new();
        let mut is_empty = true;
        for (position, entry) in input.remaining() {
            for part in wanted.of(position, entry) {
                let mut parts = Parts::new(&self.platforms, Missing::Keep);
                is_empty &= parts.of(part.node)?.is_none();
                met.extend(parts.met);
            }
        }
        if is_empty || (met.is_empty() && !self.platforms.is_empty()) {
            return Ok(None);
        }
        let images = images.iter().filter(|image| wanted.is_met(image));
        let platforms = self.platforms.iter().enumerate();
        let platforms = platforms.filter(|(number, _)| met.contains(number));
        Ok(Some(Selection {
            images: images.cloned().collect(),
            platforms: platforms.map(|(_, platform)| platform.clone()).collect(),
            ..self.clone()
        }))
    }
}

/// Fails with a problem of a whole input, or with any problem of an input without images.
fn check(input: &Input) -> Result<()> {
    input.warnings(|_, _| input.entries.is_empty()).map(|_| ())
}
