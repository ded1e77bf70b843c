//! `repositories`: the names of images in archives of Docker before 1.10, and next to manifest.json in later ones.

use crate::findings::{Code, Place};
use crate::formats::reading::{Found, Reading};

pub(crate) const REPOSITORIES: &str = "repositories";

/// Each `repository:tag` with its newest layer, in the order of the file.
pub(crate) fn read(reading: &mut Reading) -> Vec<(String, String)> {
    let place = Place::file(REPOSITORIES);
    let Found::Here(content) = reading.find(REPOSITORIES, &place) else {
        return Vec::new();
    };
    let Some(document) = reading.document(&content, None, &place) else {
        return Vec::new();
    };
    let mut tags = Vec::new();
    let Some(repositories) = document.value.as_object() else {
        reading.note(
            Code::DockerManifest,
            &place,
            "not an object of repositories",
        );
        return tags;
    };
    for (repository, of_repository) in repositories {
        let Some(of_repository) = of_repository.as_object() else {
            let message = format!("{repository} is not an object of tags and layer IDs");
            reading.note(Code::DockerManifest, &place, message);
            continue;
        };
        for (tag, id) in of_repository {
            let name = format!("{repository}:{tag}");
            if let Some(id) = id.as_str() {
                tags.push((name, id.to_owned()));
            } else {
                let message = format!("{name} is {id}, expected a layer ID");
                reading.note(Code::DockerManifest, &place, message);
            }
        }
    }
    tags
}

/// Checks the file next to a manifest.json. Its problems are warnings, because Docker 1.10 and later reads manifest.json.
pub(crate) fn beside_manifest(reading: &mut Reading) {
    let before = reading.findings.len();
    read(reading);
    for noted in &mut reading.findings[before..] {
        let finding = &mut noted.finding;
        finding.code = Code::Repositories;
        finding.severity = Code::Repositories.severity();
    }
}
