//! Compares the layers that were read with the manifests and configs of the images.

use std::collections::HashSet;

use super::contents::{Contents, Image, LayerUse, Outcomes};
use crate::digest::DiffId;
use crate::findings::{Code, Finding};
use crate::image::media_type;

/// Compares `diff_ids`, their order, and media types.
pub(super) fn layers(contents: &Contents<'_>, outcomes: &Outcomes) -> Vec<Finding> {
    let mut problems = Vec::new();
    // A problem of a layer in many images is reported once.
    let mut reported = HashSet::new();
    for image in &contents.images {
        let swapped = swapped(image, outcomes);
        if let Some((expected, found)) = swapped.clone() {
            let problem = Finding {
                expected: Some(expected),
                found: Some(found),
                ..Finding::new(
                    Code::LayerOrder,
                    &image.place,
                    "the layers are in another order than the config's diff_ids",
                )
            };
            problems.push(problem);
        }
        for layer in &image.layers {
            let blob = layer.number;
            if swapped.is_none()
                && let Some(problem) = diff_id(layer, outcomes)
                && reported.insert((blob, problem.code, problem.expected.clone()))
            {
                problems.push(problem);
            }
            if let Some(problem) = media_type(layer, outcomes)
                && reported.insert((blob, problem.code, problem.expected.clone()))
            {
                problems.push(problem);
            }
        }
    }
    problems
}

fn found(layer: &LayerUse, outcomes: &Outcomes) -> Option<(DiffId, DiffId)> {
    let expected = layer.diff_id?;
    Some((expected, outcomes.diff_id(layer.number, &expected)?))
}

/// The expected and the actual order, if they differ but the layers are the same. All layers must have been read.
fn swapped(image: &Image, outcomes: &Outcomes) -> Option<(String, String)> {
    let pairs: Option<Vec<(DiffId, DiffId)>> = image
        .layers
        .iter()
        .map(|layer| found(layer, outcomes))
        .collect();
    let (expected, found): (Vec<DiffId>, Vec<DiffId>) = pairs?.into_iter().unzip();
    let sorted = |diff_ids: &[DiffId]| {
        let mut sorted = diff_ids.to_vec();
        sorted.sort_unstable();
        sorted
    };
    let list = |diff_ids: &[DiffId]| {
        let texts: Vec<String> = diff_ids.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    (expected != found && sorted(&expected) == sorted(&found))
        .then(|| (list(&expected), list(&found)))
}

fn diff_id(layer: &LayerUse, outcomes: &Outcomes) -> Option<Finding> {
    outcomes.diff_id_mismatch(layer.number, &layer.diff_id?, &layer.place)
}

fn media_type(layer: &LayerUse, outcomes: &Outcomes) -> Option<Finding> {
    let listed = layer.media_type.as_deref()?;
    let found = outcomes.codec(layer.number)?;
    let (code, message) = media_type::codec_mismatch(listed, found)?;
    let declared = media_type::layer_codec(listed)?;
    Some(Finding {
        message,
        ..Finding::mismatch(code, &layer.place, "", &declared, &found)
    })
}
