//! Corrects digests and sizes after a change, so that they do not hide it.

use serde_json::Value;

use crate::support::files::Files;
use crate::support::tar::Body;
use crate::support::{schema1, sha256_hex};

/// Replaced content: its digest in hex, and its size.
struct Replaced {
    old: (String, usize),
    new: (String, usize),
}

/// Replaces the bytes of a file. A name that is its digest, and all documents that refer to it, are updated.
pub fn replace(files: &mut Files, position: usize, bytes: Vec<u8>) {
    let member = &mut files.members[position];
    let old = member.bytes().to_vec();
    let replaced = Replaced {
        old: (sha256_hex(&old), old.len()),
        new: (sha256_hex(&bytes), bytes.len()),
    };
    member.body = Body::File(bytes);
    follow(files, &replaced, Some(position));
}

/// Replaces a `diff_id`.
pub fn replace_diff_id(files: &mut Files, old: &[u8], new: &[u8]) {
    let replaced = Replaced {
        old: (sha256_hex(old), old.len()),
        new: (sha256_hex(new), new.len()),
    };
    follow(files, &replaced, None);
}

fn follow(files: &mut Files, replaced: &Replaced, changed: Option<usize>) {
    let Replaced { old, new } = replaced;
    if old == new {
        return;
    }
    for member in &mut files.members {
        member.name = member.name.replace(&old.0, &new.0);
        if let Body::Symlink(target) | Body::HardLink(target) = &mut member.body {
            *target = target.replace(&old.0, &new.0);
        }
    }
    for position in 0..files.members.len() {
        if Some(position) == changed {
            continue;
        }
        let Some(mut document) = document(files.members[position].bytes()) else {
            continue;
        };
        if substitute(&mut document, replaced) {
            let bytes = match document
                .as_object_mut()
                .and_then(|fields| fields.shift_remove("signatures"))
            {
                Some(_) => schema1::sign(&document.to_string()),
                None => document.to_string(),
            };
            replace(files, position, bytes.into_bytes());
        }
    }
}

/// The bytes as a document, if they are one.
fn document(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

fn substitute(value: &mut Value, replaced: &Replaced) -> bool {
    let Replaced { old, new } = replaced;
    match value {
        Value::String(text) if text.contains(&old.0) => {
            *text = text.replace(&old.0, &new.0);
            true
        }
        Value::Array(items) => {
            let items = items.iter_mut();
            items.fold(false, |changed, item| substitute(item, replaced) | changed)
        }
        Value::Object(fields) => {
            let names_it = fields
                .get("digest")
                .and_then(Value::as_str)
                .is_some_and(|digest| digest.ends_with(&old.0));
            if names_it && fields.get("size") == Some(&Value::from(old.1)) {
                fields.insert("size".to_owned(), Value::from(new.1));
            }
            // Keys too: the sources of layers are by diff_id.
            let mut changed = names_it;
            let renamed = std::mem::take(fields);
            for (key, mut value) in renamed {
                changed |= substitute(&mut value, replaced) | key.contains(&old.0);
                fields.insert(key.replace(&old.0, &new.0), value);
            }
            changed
        }
        _ => false,
    }
}
