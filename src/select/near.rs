//! What was nearly asked for.

/// The name that somebody most likely meant.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.filter_map(|name| Some((distance(wanted, name)?, name)));
    near.min().map(|(_, name)| name)
}

/// The edit distance of two names, or `None` if they are not similar.
fn distance(wanted: &str, name: &str) -> Option<usize> {
    if wanted.starts_with('@') || name.starts_with('@') {
        return None;
    }
    // A host or a tag that is missing is the most likely.
    let is_part = |long: &str, short: &str| {
        let before = long.strip_suffix(short);
        let behind = long.strip_prefix(short);
        before.is_some_and(|before| before.ends_with('/'))
            || behind.is_some_and(|behind| behind.starts_with(':'))
    };
    if is_part(name, wanted) || is_part(wanted, name) || repository(wanted) == repository(name) {
        return Some(1);
    }
    let edits = edits(wanted, name)?;
    (edits <= 2.max(wanted.len() / 5)).then_some(edits)
}

fn repository(name: &str) -> &str {
    name.rsplit_once(':')
        .map_or(name, |(repository, _)| repository)
}

/// Names are not longer than this where the distance matters.
const MAX_LENGTH: usize = 256;

/// The number of characters to be inserted, removed or replaced (Levenshtein).
fn edits(one: &str, other: &str) -> Option<usize> {
    if one.len().max(other.len()) > MAX_LENGTH {
        return None;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, character) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = number + 1;
        for (column, wanted) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *wanted);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let names = ["app:1.0", "registry.test/team/base:1", "postgres:16"];
        for (wanted, near) in [
            ("app:1.1", Some("app:1.0")),
            ("ap:1.0", Some("app:1.0")),
            ("App:1.0", Some("app:1.0")),
            ("base:1", Some("registry.test/team/base:1")),
            ("team/base:1", Some("registry.test/team/base:1")),
            ("postgres", Some("postgres:16")),
            ("postgers:16", Some("postgres:16")),
            ("redis:7", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, names.into_iter()), near, "{wanted}");
        }
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), Some(3));
        assert_eq!(edits("", "abc"), Some(3));
        assert_eq!(edits("abc", "abc"), Some(0));
        assert_eq!(edits(&"a".repeat(300), "a"), None);
    }
}
