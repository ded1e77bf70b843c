//! Folders by their paths below an open folder, component by component, so that no link is followed.

use crate::error::Result;
use crate::fs::Dir;

/// The folder at the end of a path, which is created if it does not exist.
pub(super) fn made<'a>(folder: &Dir, components: impl Iterator<Item = &'a str>) -> Result<Dir> {
    let mut found = folder.reopen()?;
    for component in components {
        found = found.ensure_folder(component)?;
    }
    Ok(found)
}

/// The folder at the end of a path. `None` if it does not exist.
pub(super) fn existing<'a>(
    folder: &Dir,
    components: impl Iterator<Item = &'a str>,
) -> Result<Option<Dir>> {
    let mut found = folder.reopen()?;
    for component in components {
        match found.folder(component)? {
            Some(folder) => found = folder,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}
