//! Links between documents.

use std::collections::BTreeSet;

use super::{documents, read, root};

/// The anchors of a document, as GitHub creates them.
fn anchors(document: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in outside_code(document).filter(|line| line.starts_with('#')) {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        let anchor: String = text.chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        let mut unique = anchor.clone();
        let mut count = 0;
        while !anchors.insert(unique.clone()) {
            count += 1;
            unique = format!("{anchor}-{count}");
        }
    }
    anchors
}

/// The lines outside code blocks.
fn outside_code(document: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    document.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The targets of the links of a document: `[text](target)`, and `![text](target)` for pictures.
fn targets(document: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in outside_code(document) {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            targets.push(target.to_owned());
        }
    }
    targets
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for name in documents() {
        let document = read(&name);
        for target in targets(&document) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = root().join(folder).join(file);
            let exists = if file.is_empty() { true } else { path.exists() };
            let there = if file.is_empty() {
                document.clone()
            } else {
                std::fs::read_to_string(&path).unwrap_or_default()
            };
            if !exists || !(anchor.is_empty() || anchors(&there).contains(anchor)) {
                wrong.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere: {wrong:#?}");
}

#[test]
fn anchors_are_named_as_github_names_them() {
    let document = "# A `b`: c, d/e\n```\n# no heading\n```\n## Two words\n## Two words\n";
    let expected = ["a-b-c-de", "two-words", "two-words-1"].map(str::to_owned);
    assert_eq!(anchors(document), BTreeSet::from(expected));
}

/// Every document is linked from another one.
#[test]
fn every_document_is_linked() {
    let names = documents();
    let mut linked: BTreeSet<String> = BTreeSet::from(["README.md".to_owned()]);
    for name in &names {
        for target in targets(&read(name)) {
            let file = target.split('#').next().unwrap_or_default();
            let in_docs = name.starts_with("docs/") && !file.starts_with("../");
            let file = file.trim_start_matches("../");
            linked.insert(if in_docs {
                format!("docs/{file}")
            } else {
                file.to_owned()
            });
        }
    }
    let lost: Vec<&String> = names
        .iter()
        .filter(|name| !linked.contains(*name))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}
