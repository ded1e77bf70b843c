//! Image names in Docker's form, and their fully qualified form.
//!
//! Grammar and defaults: <https://github.com/distribution/reference/blob/main/reference.go> and `normalize.go`.

/// The fully qualified form of a Docker name: `app` becomes `docker.io/library/app:latest`.
///
/// A name that Docker refuses is returned unchanged.
#[must_use]
pub fn fully_qualified(name: &str) -> String {
    let (path, rest) = split_path(name);
    let (domain, remainder) = match path.split_once('/') {
        Some((first, remainder)) if is_domain(first) => (first, remainder.to_owned()),
        _ => ("docker.io", path.to_owned()),
    };
    let domain = if domain == "index.docker.io" {
        "docker.io"
    } else {
        domain
    };
    let library = domain == "docker.io" && !remainder.contains('/');
    let remainder = if library {
        format!("library/{remainder}")
    } else {
        remainder
    };
    let rest = if rest.is_empty() { ":latest" } else { rest };
    let qualified = format!("{domain}/{remainder}{rest}");
    if is_reference(&qualified) {
        qualified
    } else {
        name.to_owned()
    }
}

/// The short form of a name that Docker users know: `docker.io/library/app:1.0` becomes `app:1.0`.
#[must_use]
pub fn familiar(name: &str) -> &str {
    let Some(path) = name.strip_prefix("docker.io/") else {
        return name;
    };
    let short = path.strip_prefix("library/").unwrap_or(path);
    // What is left must mean the same.
    if fully_qualified(short) == name {
        short
    } else {
        path
    }
}

/// Returns the name if `docker load` accepts it as a tag: `[domain/]path:tag`.
#[must_use]
pub fn tagged_reference(name: &str) -> Option<&str> {
    let (_, rest) = split_path(name);
    let tagged = rest.starts_with(':') && !rest.contains('@');
    (tagged && is_reference(&fully_qualified(name))).then_some(name)
}

/// Splits `:tag`, `@digest` or both off the end.
fn split_path(name: &str) -> (&str, &str) {
    let digest = name.find('@').unwrap_or(name.len());
    let last = name[..digest].rfind('/').map_or(0, |slash| slash + 1);
    let end = name[last..digest]
        .find(':')
        .map_or(digest, |colon| last + colon);
    name.split_at(end)
}

/// Whether the part before the first slash is a host: it has a dot, a port or capital letters, or is `localhost`. `..` is not
/// one.
fn is_domain(first: &str) -> bool {
    first.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && (first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first)
}

/// Whether a name with a domain matches Docker's grammar.
fn is_reference(name: &str) -> bool {
    let (path, rest) = split_path(name);
    let Some((domain, path)) = path.split_once('/') else {
        return false;
    };
    let host_fits = !domain.is_empty()
        && domain
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
    let component_fits = |component: &str| {
        let ends =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        ends(component.chars().next())
            && ends(component.chars().last())
            && component
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    let tag = rest.strip_prefix(':').map(|rest| rest.split('@').next());
    host_fits
        && path.len() <= 255
        && path.split('/').all(component_fits)
        && tag.flatten().is_none_or(is_tag)
}

/// The repository and the tag that a name has in a registry, which does not know its own host; `None` where it takes no such
/// name. <https://github.com/distribution/reference/blob/v0.6.0/regexp.go>
pub(crate) fn repository_and_tag(name: &str) -> Option<(&str, &str)> {
    let (path, rest) = split_path(name);
    let tag = match rest {
        "" => "latest",
        rest => rest.strip_prefix(':')?,
    };
    let repository = match path.split_once('/') {
        Some((first, repository)) if is_domain(first) => repository,
        _ => path,
    };
    (is_repository(repository) && is_tag(tag)).then_some((repository, tag))
}

/// Whether registries take it as the name of a repository.
pub(super) fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_component)
}

/// Whether this is a component of a repository's name: words of small letters and digits, joined by a dot, one or two
/// underscores, or hyphens.
fn is_component(component: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let fits = |separator: &str| {
        matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
    };
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && component
            .split(is_word)
            .all(|separator| separator.is_empty() || fits(separator))
}

/// Whether registries take it as a tag.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || ".-".contains(c))
}

/// Whether a ref.name is only the tag of the full name, as from buildx, `ctr` and Docker's containerd store.
pub(crate) fn is_tag_of(ref_name: &str, full_name: &str) -> bool {
    let path = full_name.strip_suffix(ref_name);
    path.is_some_and(|path| path.ends_with(':'))
}

/// Whether a name matches the grammar of `org.opencontainers.image.ref.name`:
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys>.
pub(crate) fn is_ref_name(name: &str) -> bool {
    name.split('/').all(|component| {
        let mut rest = component;
        loop {
            let word = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            if word == 0 {
                return false;
            }
            rest = &rest[word..];
            if rest.is_empty() {
                return true;
            }
            let separator = if rest.starts_with("--") { 2 } else { 1 };
            if separator == 1 && !rest.starts_with(['-', '.', '_', ':', '@', '+']) {
                return false;
            }
            rest = &rest[separator..];
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_and_tags() {
        let digest = format!("app@sha256:{}", "0".repeat(64));
        let long = "a/".repeat(127) + "aa";
        for (name, expected) in [
            ("app", Some(("app", "latest"))),
            ("app:1.0", Some(("app", "1.0"))),
            ("docker.io/library/app:1", Some(("library/app", "1"))),
            ("localhost/app:1", Some(("app", "1"))),
            ("host:5000/team/app:1", Some(("team/app", "1"))),
            ("a.b_c__d---e:1_A.-", Some(("a.b_c__d---e", "1_A.-"))),
            ("1.0", Some(("1.0", "latest"))),
            (long.as_str(), None),
            (&long[2..], Some((&long[2..], "latest"))),
            (digest.as_str(), None),
            ("", None),
            ("a//b", None),
            ("a..b", None),
            ("a___b", None),
            ("_a", None),
            ("a.", None),
            ("App:1", None),
            ("team/App:1", None),
            ("app:1+2", None),
            ("app:.1", None),
            ("../app:1", None),
        ] {
            assert_eq!(repository_and_tag(name), expected, "{name}");
        }
    }

    #[test]
    fn ref_names() {
        for (name, fits) in [
            ("app:1.0", true),
            ("docker.io/library/app--x:1", true),
            ("1.0+build", true),
            ("a@b", true),
            ("", false),
            ("a//b", false),
            ("a__b", false),
            ("a---b", false),
            (":tag", false),
            ("a b", false),
            ("\u{e4}", false),
        ] {
            assert_eq!(is_ref_name(name), fits, "{name}");
        }
    }

    #[test]
    fn names_are_qualified_as_docker_does() {
        for (name, full) in [
            ("app", "docker.io/library/app:latest"),
            ("app:1.0", "docker.io/library/app:1.0"),
            ("team/app", "docker.io/team/app:latest"),
            ("index.docker.io/app:1", "docker.io/library/app:1"),
            ("localhost/app:1", "localhost/app:1"),
            ("example.test:5000/app", "example.test:5000/app:latest"),
            ("example.test/a/b:c", "example.test/a/b:c"),
            (
                "app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "docker.io/library/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            ("Not A Name", "Not A Name"),
            ("", ""),
        ] {
            assert_eq!(fully_qualified(name), full, "{name}");
        }
    }

    #[test]
    fn familiar_names_mean_the_same() {
        for (name, short) in [
            ("docker.io/library/app:1.0", "app:1.0"),
            ("docker.io/team/app:1.0", "team/app:1.0"),
            ("docker.io/library/team/app:1.0", "library/team/app:1.0"),
            ("registry.test/app:1.0", "registry.test/app:1.0"),
            ("app:1.0", "app:1.0"),
        ] {
            assert_eq!(familiar(name), short);
        }
    }

    #[test]
    fn docker_load_takes_names_with_a_tag_alone() {
        for (name, tagged) in [
            ("app:1.0", true),
            ("example.test:5000/app:1", true),
            ("app", false),
            ("1.0+build", false),
            ("app:1.0+build", false),
            ("UPPER/app:1", true),
            (
                "app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                false,
            ),
        ] {
            assert_eq!(tagged_reference(name).is_some(), tagged, "{name}");
        }
    }
}
