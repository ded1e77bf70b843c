//! The files of an input in order, which can be changed and written as an archive or as a folder.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::tar::{self, Body, Dialect, Member};

/// The files of an input.
#[derive(Debug, Clone, Default)]
pub struct Files {
    pub members: Vec<Member>,
}

impl Files {
    /// Adds a file, or replaces its bytes.
    pub fn put(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        let new = Member::file(name, bytes);
        match self.position(name) {
            Some(position) => self.members[position] = new,
            None => self.members.push(new),
        }
    }

    pub fn add(&mut self, name: &str, body: Body) {
        self.members.push(Member::new(name, body));
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|member| member.name == name)
    }

    pub fn get(&self, name: &str) -> &[u8] {
        let position = self.position(name).unwrap_or_else(|| panic!("no {name}"));
        self.members[position].bytes()
    }

    #[must_use]
    pub fn with(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Files {
        self.put(name, bytes);
        self
    }

    #[must_use]
    pub fn with_body(mut self, name: &str, body: Body) -> Files {
        self = self.without(name);
        self.add(name, body);
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Files {
        self.members.retain(|member| member.name != name);
        self
    }

    #[must_use]
    pub fn without_last(&self) -> Files {
        let mut files = self.clone();
        files.members.pop();
        files
    }

    /// Changes a document.
    #[must_use]
    pub fn edited(mut self, name: &str, edit: impl FnOnce(&mut Value)) -> Files {
        let mut value: Value = serde_json::from_slice(self.get(name)).unwrap();
        edit(&mut value);
        self.put(name, value.to_string());
        self
    }

    /// The same files with other names.
    #[must_use]
    pub fn renamed(mut self, rename: impl Fn(&str) -> String) -> Files {
        for member in &mut self.members {
            member.name = rename(&member.name);
        }
        self
    }

    /// The members in reverse order.
    #[must_use]
    pub fn reversed(mut self) -> Files {
        self.members.reverse();
        self
    }

    /// All headers in one dialect.
    #[must_use]
    pub fn in_dialect(mut self, dialect: Dialect) -> Files {
        for member in &mut self.members {
            member.dialect = dialect;
        }
        self
    }

    pub fn tar(&self) -> Vec<u8> {
        tar::tar(&self.members)
    }

    /// Writes the files into a new folder.
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for member in &self.members {
            let path = folder.join(&member.name);
            match &member.body {
                Body::Folder => fs::create_dir_all(&path).unwrap(),
                Body::File(bytes) => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, bytes).unwrap();
                }
                other => panic!("{other:?} in a folder"),
            }
        }
    }
}
