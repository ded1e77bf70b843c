use serde_json::{Value, json};

use super::*;
use crate::image::media_type;

fn annotation<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get("annotations")?.get(key)?.as_str()
}

fn image(content: &str, name: Option<&str>) -> Descriptor {
    let mut descriptor =
        Descriptor::new(media_type::MANIFEST, Digest::sha256(content.as_bytes()), 7);
    descriptor.annotations = name.map(|name| {
        let annotations = json!({ REF_NAME: name });
        annotations.as_object().unwrap().clone()
    });
    descriptor
}

fn additions(descriptors: Vec<Descriptor>) -> Additions {
    Additions {
        descriptors,
        ..Additions::default()
    }
}

/// Merges lists one after the other. Returns (content, name) of the final entries.
fn merged(lists: &[&[(&str, Option<&str>)]]) -> Vec<(String, Option<String>)> {
    let mut index: Option<Vec<u8>> = None;
    let mut contents = Vec::new();
    for list in lists {
        let descriptors = list.iter().map(|(content, name)| image(content, *name));
        let additions = additions(descriptors.collect());
        contents.extend(list.iter().map(|(content, _)| (*content).to_owned()));
        index = Some(additions.merge(index.as_deref()).unwrap().bytes);
    }
    let index: Value = serde_json::from_slice(&index.unwrap()).unwrap();
    let manifests = index["manifests"].as_array().unwrap().iter();
    let content = |value: &Value| {
        let digest = value["digest"].as_str().unwrap();
        let named = |content: &&String| Digest::sha256(content.as_bytes()).to_string() == digest;
        contents.iter().find(named).unwrap().clone()
    };
    manifests
        .map(|value| {
            (
                content(value),
                annotation(value, REF_NAME).map(str::to_owned),
            )
        })
        .collect()
}

#[test]
fn names_move_and_nothing_stays_without_a_name() {
    let entry = |content: &str, name: Option<&str>| (content.to_owned(), name.map(str::to_owned));
    let old: &[(&str, Option<&str>)] = &[("A", Some("app:1")), ("B", Some("base"))];
    assert_eq!(
        merged(&[old, &[("C", Some("app:1"))]]),
        [entry("C", Some("app:1")), entry("B", Some("base"))]
    );
    // An image with another name is not kept without a name too.
    let twice: &[(&str, Option<&str>)] = &[("A", Some("app:1")), ("A", Some("app:latest"))];
    assert_eq!(
        merged(&[twice, &[("C", Some("app:1"))]]),
        [entry("C", Some("app:1")), entry("A", Some("app:latest"))]
    );
    // Images that never had a name stay.
    let nameless: &[(&str, Option<&str>)] = &[("A", None), ("B", Some("base"))];
    assert_eq!(
        merged(&[nameless, &[("C", Some("base"))]]),
        [entry("C", Some("base")), entry("A", None)]
    );
    // Adding the same again changes nothing.
    assert_eq!(merged(&[old, old]), merged(&[old]));
    assert_eq!(
        merged(&[&[("A", None)], &[("A", None)]]),
        [entry("A", None)]
    );
    // An unnamed image gets a name.
    assert_eq!(
        merged(&[&[("A", None)], &[("A", Some("app:1"))]]),
        [entry("A", Some("app:1"))]
    );
}

/// Several images may have the same tag, as in exports of <https://github.com/containerd/containerd>.
#[test]
fn the_whole_name_counts() {
    let image = |content: &str, tag: &str, whole: Option<&str>| {
        let mut descriptor = image(content, Some(tag));
        let annotations = descriptor.annotations.as_mut().unwrap();
        annotations.extend(whole.map(|whole| (CONTAINERD_NAME.to_owned(), json!(whole))));
        descriptor
    };
    let merge = |descriptor: &Descriptor, existing: Option<&[u8]>| {
        let descriptors = vec![descriptor.clone()];
        additions(descriptors).merge(existing).unwrap().bytes
    };
    let a = image("A", "1", Some("docker.io/x/a:1"));
    let b = image("B", "1", Some("docker.io/x/b:1"));
    let next_a = image("C", "1", Some("docker.io/x/a:1"));
    let plain = image("D", "1", None);
    let both = merge(&b, Some(&merge(&a, None)));
    let names = |index: &[u8]| {
        let index: Value = serde_json::from_slice(index).unwrap();
        let manifests = index["manifests"].as_array().unwrap().iter();
        manifests
            .map(|value| annotation(value, CONTAINERD_NAME).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let [name_a, name_b] = ["docker.io/x/a:1", "docker.io/x/b:1"].map(|n| Some(n.to_owned()));
    assert_eq!(names(&both), [name_a.clone(), name_b.clone()]);
    let next = merge(&next_a, Some(&both));
    assert_eq!(names(&next).len(), 2);
    assert!(names(&next).contains(&name_a) && names(&next).contains(&name_b));
    // An image with only the tag as its name is another image.
    assert_eq!(names(&merge(&plain, Some(&both))).len(), 3);
    // More than a tag is a name: either takes it from the other.
    let short = image("E", "app:1", None);
    let whole = image("F", "app:1", Some("docker.io/library/app:1"));
    assert_eq!(names(&merge(&short, Some(&merge(&whole, None)))), [None]);
    let next = merge(&whole, Some(&merge(&short, None)));
    assert_eq!(names(&next), [Some("docker.io/library/app:1".to_owned())]);
}

#[test]
fn the_order_of_the_runs_does_not_show() {
    let lists: [&[(&str, Option<&str>)]; 3] = [
        &[("A", Some("b:1")), ("B", None)],
        &[("C", Some("a:1")), ("A", Some("a:2"))],
        &[("D", None)],
    ];
    let expected = merged(&lists);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(merged(&order.map(|run| lists[run])), expected);
    }
}

#[test]
fn a_moved_name_is_told() {
    let old = additions(vec![image("A", Some("app:1")), image("B", Some("b:1"))]);
    let old = old.merge(None).unwrap().bytes;
    let new = additions(vec![image("C", Some("app:1")), image("B", Some("b:1"))]);
    let digest = |content: &str| Digest::sha256(content.as_bytes()).to_string();
    let moved = MovedName {
        name: "app:1".to_owned(),
        from: digest("A"),
        to: digest("C"),
    };
    assert_eq!(new.merge(Some(&old)).unwrap().moved, [moved]);
}

#[test]
fn unknown_fields_of_the_index_stay() {
    let existing = br#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":null,"x":1}"#;
    let merged = Additions::default().merge(Some(existing)).unwrap();
    assert_eq!(
        String::from_utf8(merged.bytes).unwrap(),
        r#"{"schemaVersion":2,"annotations":{"a":"b"},"manifests":[],"x":1}"#
    );
}

/// What is there is copied as text only where it is written as we write it; otherwise it is written again.
#[test]
fn descriptors_of_others_are_written_again() {
    let digest = |content: &str| Digest::sha256(content.as_bytes()).to_string();
    for (existing, text) in [
        // White space between tokens, and inside a string.
        (
            r#"{ "digest" : "A" , "annotations": { "org.opencontainers.image.ref.name": "a b" } }"#,
            r#"{"digest":"A","annotations":{"org.opencontainers.image.ref.name":"a b"}}"#,
        ),
        // A number in a form of its own, beside what only looks like white space, nesting or an end.
        (
            r#"{"digest":"A","x":1.50,"y":"{ [[[[[[[[[[[[[[[[[","z":[[{"a":[]},{}],[]]}"#,
            r#"{"digest":"A","x":1.50,"y":"{ [[[[[[[[[[[[[[[[[","z":[[{"a":[]},{}],[]]}"#,
        ),
        // Escapes that are not needed, in a name that moves.
        (
            r#"{"digest":"A","annotations":{"org.opencontainers.image.ref.name":"app\u003a1"}}"#,
            "",
        ),
        // A name that is no string stays what it is.
        (
            r#"{"digest":1,"annotations":{"org.opencontainers.image.ref.name":7}}"#,
            r#"{"digest":1,"annotations":{"org.opencontainers.image.ref.name":7}}"#,
        ),
        (
            r#"{"digest":"A","annotations":null}"#,
            r#"{"digest":"A","annotations":null}"#,
        ),
    ] {
        let existing = existing.replace("\"A\"", &format!("{:?}", digest("A")));
        let text = text.replace("\"A\"", &format!("{:?}", digest("A")));
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{existing}]}}"#);
        let new = Additions {
            descriptors: vec![image("C", Some("app:1"))],
            ..Additions::default()
        };
        let merged = new.merge(Some(index.as_bytes())).unwrap();
        let merged_text = String::from_utf8(merged.bytes).unwrap();
        assert!(merged_text.contains(&text), "{existing}: {merged_text}");
        assert_eq!(merged.moved.len(), usize::from(text.is_empty()));
    }
}

#[test]
fn what_is_not_an_index_is_refused() {
    for (existing, message) in [
        ("[]", "index.json: it is not an object with manifests"),
        (
            r#"{"manifests":{}}"#,
            "index.json: it is not an object with manifests",
        ),
        ("{", "cannot parse index.json: "),
        (
            &format!("{{\"manifests\":[{}]}}", "[".repeat(200) + &"]".repeat(200)),
            "cannot parse index.json: recursion limit exceeded",
        ),
    ] {
        let error = Additions::default().merge(Some(existing.as_bytes()));
        let error = error.unwrap_err().chain();
        assert!(error.starts_with(message), "{existing}: {error}");
    }
}
