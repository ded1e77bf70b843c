//! The names of images in the output.

use std::fmt;
use std::str::FromStr;

use super::Selected;
use crate::error::{RequestError, Result};
use crate::image::{Reference, fully_qualified, tagged_reference};

/// The reference of a name that was given on the command line. One without a tag gets `latest`.
///
/// # Errors
/// [`RequestError::ImageName`] if engines do not accept it.
pub(super) fn given(name: &str) -> Result<Reference> {
    let full = fully_qualified(name);
    let is_tagged = tagged_reference(name).is_some();
    let name = match full.strip_suffix(":latest") {
        Some(_) if !is_tagged => format!("{name}:latest"),
        _ => name.to_owned(),
    };
    if tagged_reference(&name).is_none() {
        return Err(RequestError::ImageName { name }.into());
    }
    Ok(Reference {
        containerd_name: Some(full),
        name: Some(name),
        ..Reference::default()
    })
}

/// A value of `--rename`. In names that begin with the whole components of `from`, they are replaced by `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    from: String,
    to: String,
}

/// Why a text is not a [`Rename`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected FROM=TO, such as docker.io/library=registry.local/base")]
pub struct RenameError;

impl FromStr for Rename {
    type Err = RenameError;

    fn from_str(text: &str) -> Result<Rename, RenameError> {
        // A name cannot have an equals sign.
        let (from, to) = text.split_once('=').ok_or(RenameError)?;
        let [from, to] = [from, to].map(|name| name.trim_end_matches('/'));
        if from.is_empty() || to.is_empty() || to.contains('=') {
            return Err(RenameError);
        }
        Ok(Rename {
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

impl Rename {
    /// The new name. `None` if the name does not begin with `from`.
    fn apply(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.from)?;
        let is_whole = rest.is_empty() || rest.starts_with(['/', ':', '@']);
        is_whole.then(|| format!("{}{rest}", self.to))
    }
}

/// Renames all that is selected. Of several rules for one name, the one with the longest `from` wins.
///
/// # Errors
/// [`RequestError::ImageName`] if engines do not accept the new name.
pub(super) fn rename(selected: &mut [Selected], rules: &[Rename]) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    for reference in selected
        .iter_mut()
        .flat_map(|one| &mut one.entry.references)
    {
        let repository = reference.repository.as_deref();
        let Some(name) = reference.display_name().or(repository) else {
            continue;
        };
        // The name of the input or the one that Docker would write: `app:1.0` is also `docker.io/library/app:1.0`.
        let full = match &reference.containerd_name {
            Some(full) => full.clone(),
            None => fully_qualified(name),
        };
        let renamed = rules.iter().filter_map(|rule| {
            let renamed = rule.apply(name).or_else(|| rule.apply(&full))?;
            Some((rule.from.len(), renamed))
        });
        if let Some((_, renamed)) = renamed.max_by_key(|(length, _)| *length) {
            let given = given(&renamed)?;
            if reference.display_name().is_none() {
                // What has no name stays without one, in another repository.
                let place = given.in_registry();
                reference.repository = place.map(|(repository, _)| repository.to_owned());
                continue;
            }
            reference.name = given.name;
            reference.containerd_name = given.containerd_name;
            reference.repository = None;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_components_are_replaced() {
        for (rule, name, expected) in [
            (
                "docker.io/library/=registry.local/base/",
                "docker.io/library/app:1",
                Some("registry.local/base/app:1"),
            ),
            (
                "docker.io=mirror.local",
                "docker.io/library/app:1",
                Some("mirror.local/library/app:1"),
            ),
            ("team=crew", "team/app:1", Some("crew/app:1")),
            ("team=crew", "teams/app:1", None),
            ("app=tool", "app:1", Some("tool:1")),
            ("app:1=tool:2", "app:1", Some("tool:2")),
            ("app:1=tool:2", "app:1.0", None),
            ("library=base", "docker.io/library/app:1", None),
        ] {
            let rule: Rename = rule.parse().unwrap();
            assert_eq!(rule.apply(name).as_deref(), expected, "{rule} {name}");
        }
        for bad in ["", "a", "=b", "a=", "/=b", "a=b=c"] {
            assert!(bad.parse::<Rename>().is_err(), "{bad}");
        }
    }
}
