use super::*;

// What is expected was printed by Docker 20.10.24's image/v1 and by c/image 5.22's manifest package
// (the one in skopeo 1.9.3), called with the same documents.

const BASE: &str = r#"{"id":"1","created":"2016-01-01T00:00:00.10Z","container_config":{"Cmd":["/bin/sh","-c","echo <hi> & exit"]},"author":"me","comment":"first"}"#;
const RAW: &str = r#"{ "os":"linux", "z":"<", "id":"2","parent":"1", "Size":5,"parent_id":"1","layer_id":"x","throwaway":false,"docker_version":"VERSION", "config":{"b":1.0, "Env":null,"a":[ ]},"a":null }"#;
const OLD: &str = r#"{"id":"2","parent":"1","Size":5,"unknown":1,VERSION"created":"2016-01-02T00:00:00+00:00","config":{"Cmd":"run","Entrypoint":[],"Env":["A=<\u2028>"],"ExposedPorts":{"80/tcp":{},"53/udp":{"x":1}},"PortSpecs":null,"Volumes":null,"Labels":{"b":"2","a":null},"hostname":"h","Healthcheck":{"Test":["NONE"],"StartPeriod":2,"Interval":1},"StopTimeout":0,"Shell":[]},"architecture":"amd64"}"#;

const RAW_CONFIG: &str = r#"{"a":null,"config":{"b":1.0,"Env":null,"a":[]},"docker_version":"1.8.3","history":[{"created":"2016-01-01T00:00:00.1Z","author":"me","created_by":"/bin/sh -c echo \u003chi\u003e \u0026 exit","comment":"first"},{"created":"0001-01-01T00:00:00Z"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]},"z":"\u003c"}"#;
const OLD_DOCKER: &str = r#"{"architecture":"amd64","config":{"Hostname":"h","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"ExposedPorts":{"53/udp":{},"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=\u003c\u2028\u003e"],"Cmd":["run"],"Healthcheck":{"Test":["NONE"],"Interval":1,"StartPeriod":2},"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":[],"OnBuild":null,"Labels":{"a":"","b":"2"},"StopTimeout":0},"container_config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null},"created":"2016-01-02T00:00:00Z","docker_version":"1.8.2","history":[{"created":"2016-01-01T00:00:00.1Z","author":"me","created_by":"/bin/sh -c echo \u003chi\u003e \u0026 exit","comment":"first"},{"created":"2016-01-02T00:00:00Z"}],"rootfs":{"type":"layers","diff_ids":["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]}}"#;
const OLD_SCHEMA2: &str = r#"{"architecture":"amd64","config":{"Hostname":"h","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"ExposedPorts":{"53/udp":{},"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=\u003c\u2028\u003e"],"Cmd":["run"],"Healthcheck":{"Test":["NONE"],"StartPeriod":2,"Interval":1},"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":[],"OnBuild":null,"Labels":{"a":"","b":"2"},"StopTimeout":0},"container_config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null},"created":"2016-01-02T00:00:00Z","docker_version":"1.8.2","history":[{"created":"2016-01-01T00:00:00.1Z","author":"me","created_by":"/bin/sh -c echo \u003chi\u003e \u0026 exit","comment":"first"},{"created":"2016-01-02T00:00:00Z"}],"rootfs":{"type":"layers","diff_ids":["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]}}"#;
const KEPT_SCHEMA2: &str = r#"{"architecture":"amd64","config":{"Cmd":"run","Entrypoint":[],"Env":["A=\u003c\u2028\u003e"],"ExposedPorts":{"80/tcp":{},"53/udp":{"x":1}},"PortSpecs":null,"Volumes":null,"Labels":{"b":"2","a":null},"hostname":"h","Healthcheck":{"Test":["NONE"],"StartPeriod":2,"Interval":1},"StopTimeout":0,"Shell":[]},"created":"2016-01-02T00:00:00+00:00","history":[{"created":"2016-01-01T00:00:00.1Z","author":"me","created_by":"/bin/sh -c echo \u003chi\u003e \u0026 exit","comment":"first"},{"created":"2016-01-02T00:00:00Z"}],"rootfs":{"type":"layers","diff_ids":["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]},"unknown":1}"#;
const EMPTY_BASE: &str = r#"{"a":null,"config":{"b":1.0,"Env":null,"a":[]},"docker_version":"1.9.1","history":[{"created":"0001-01-01T00:00:00Z","empty_layer":true},{"created":"0001-01-01T00:00:00Z"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]},"z":"\u003c"}"#;

fn diff_id(digit: &str) -> DiffId {
    DiffId(format!("sha256:{}", digit.repeat(64)).parse().unwrap())
}

fn docker(chain: &[&str]) -> Result<String, V1Error> {
    let ids: Vec<_> = ["a", "b"]
        .iter()
        .take(chain.len())
        .map(|digit| diff_id(digit))
        .collect();
    let chain: Vec<_> = chain.iter().map(|v1| v1.as_bytes()).collect();
    docker_load_config(&chain, &ids).map(|config| String::from_utf8(config).unwrap())
}

fn schema2(history: &[(&str, bool)]) -> Result<String, V1Error> {
    let ids = ["a", "b"].iter().take(history.len()).zip(history);
    let ids: Vec<_> = ids
        .filter(|(_, (_, empty))| !empty)
        .map(|(digit, _)| diff_id(digit))
        .collect();
    let entries = history.iter().map(|(v1, empty)| V1History {
        v1: v1.as_bytes(),
        empty: *empty,
    });
    let config = schema2_config(&entries.collect::<Vec<_>>(), &ids)?;
    Ok(String::from_utf8(config).unwrap())
}

/// The error and its sources, as the command line prints them.
fn message(error: &V1Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn from_1_8_3_on_the_members_are_kept_and_compacted() {
    let raw = RAW.replace("VERSION", "1.8.3");
    assert_eq!(docker(&[BASE, &raw]).unwrap(), RAW_CONFIG);
    assert_eq!(
        schema2(&[(BASE, false), (&raw, false)]).unwrap(),
        RAW_CONFIG
    );
}

#[test]
fn before_1_8_3_the_config_is_encoded_again() {
    let old = OLD.replace("VERSION", "\"docker_version\":\"1.8.2\",");
    assert_eq!(docker(&[BASE, &old]).unwrap(), OLD_DOCKER);
    assert_eq!(
        schema2(&[(BASE, false), (&old, false)]).unwrap(),
        OLD_SCHEMA2
    );
}

/// Docker takes an absent version for an old one, c/image for a new one.
#[test]
fn without_a_version_docker_and_c_image_differ() {
    let old = OLD.replace("VERSION", "");
    let expected = OLD_DOCKER.replace("\"docker_version\":\"1.8.2\",", "");
    assert_eq!(docker(&[BASE, &old]).unwrap(), expected);
    assert_eq!(
        schema2(&[(BASE, false), (&old, false)]).unwrap(),
        KEPT_SCHEMA2
    );
}

#[test]
fn an_empty_layer_is_in_the_history_alone() {
    let raw = RAW.replace("VERSION", "1.9.1");
    let base = r#"{"throwaway":true,"created":null}"#;
    assert_eq!(schema2(&[(base, true), (&raw, false)]).unwrap(), EMPTY_BASE);
}

/// As skopeo 1.9.3 converts a manifest with one layer, a `throwaway`.
#[test]
fn an_image_of_empty_layers_has_no_diff_ids() {
    let base = r#"{"id":"a","created":"2020-01-01T00:00:00Z","throwaway":true,"os":"linux"}"#;
    let expected = r#"{"created":"2020-01-01T00:00:00Z","history":[{"created":"2020-01-01T00:00:00Z","empty_layer":true}],"os":"linux","rootfs":{"type":"layers"}}"#;
    assert_eq!(schema2(&[(base, true)]).unwrap(), expected);
}

#[test]
fn of_members_with_the_same_name_the_last_one_counts() {
    let config = docker(&[r#"{"docker_version":"1.9.1","x":1,"os":"a","x":2,"OS":"b"}"#]).unwrap();
    assert!(
        config.contains(r#""x":2}"#) && !config.contains(r#""x":1"#),
        "{config}"
    );
    assert!(
        config.starts_with(r#"{"OS":"b","docker_version""#),
        "{config}"
    );
}

#[test]
fn versions_are_compared_as_docker_compares_them() {
    for old in [
        "",
        "1.8.2",
        "1.7.1",
        "1.8",
        "1",
        "1.8.2-fc22",
        "1.8.3-rc1",
        "x",
        "0.9.1",
        "-5",
        "1.8.3.-99999999999999999999",
    ] {
        assert!(before_1_8_3(old), "{old}");
    }
    for new in [
        "1.8.3",
        "1.8.03",
        "1.8.3.1",
        "1.10.0",
        "1.9",
        "2",
        "20.10.24+dfsg1",
        "99999999999999999999.1",
    ] {
        assert!(!before_1_8_3(new), "{new}");
    }
}

#[test]
fn bad_metadata_is_told_with_its_place() {
    for (v1, expected) in [
        (
            "",
            "v1 metadata of layer 2 of 2: not valid JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "[]",
            "v1 metadata of layer 2 of 2: the document is a list, expected an object",
        ),
        (
            r#"{"config":{"Healthcheck":{"Test":"x"}}}"#,
            "v1 metadata of layer 2 of 2: config.Healthcheck.Test is a string, expected a list of strings",
        ),
        (
            r#"{"config":{"Labels":{"a":1}}}"#,
            "v1 metadata of layer 2 of 2: config.Labels.a is a number, expected a string",
        ),
        (
            r#"{"config":{"Volumes":{"/a":true}}}"#,
            "v1 metadata of layer 2 of 2: config.Volumes./a is a boolean, expected an object",
        ),
        (
            r#"{"container_config":{"Cmd":[1]}}"#,
            "v1 metadata of layer 2 of 2: container_config.Cmd is a list, expected a string or a list of strings",
        ),
        (
            r#"{"Size":1.5}"#,
            "v1 metadata of layer 2 of 2: Size is 1.5, expected a 64-bit integer",
        ),
        (
            r#"{"created":7}"#,
            "v1 metadata of layer 2 of 2: created is a number, expected an RFC 3339 time",
        ),
        (
            r#"{"created":"now"}"#,
            "v1 metadata of layer 2 of 2: created is \"now\", expected an RFC 3339 time",
        ),
    ] {
        assert_eq!(message(&docker(&["{}", v1]).unwrap_err()), expected);
        assert_eq!(
            message(&schema2(&[("{}", false), (v1, false)]).unwrap_err()),
            expected
        );
    }
    let base = docker(&[r#"{"author":1}"#, "{}"]).unwrap_err();
    assert_eq!(
        message(&base),
        "v1 metadata of layer 1 of 2: author is a number, expected a string"
    );
    assert_eq!(
        message(&docker(&[]).unwrap_err()),
        "no layer has v1 metadata"
    );
    let short = schema2_config(
        &[V1History {
            v1: b"{}",
            empty: false,
        }],
        &[],
    )
    .unwrap_err();
    assert_eq!(message(&short), "1 layers, but 0 diff_ids");
    let latin1 = docker_load_config(&[b"{\"os\":\"\xff\"}"], &[diff_id("a")]).unwrap_err();
    assert!(
        message(&latin1)
            .starts_with("v1 metadata of layer 1 of 1: not valid JSON: invalid unicode")
    );
}

/// Whatever the documents are like: no panic, and what comes out is JSON as Go writes it.
#[test]
fn any_document_is_an_error_or_a_compact_object() {
    let seeds = [
        BASE,
        RAW,
        OLD,
        OLD_DOCKER,
        r#"{"a":"\ud800\udc00","b":[[[{}]]],"config":{"Cmd":"x"}}"#,
    ];
    let alphabet: Vec<char> = "{}[]\",:\\u0d8a1e-.tn <\u{2028}é".chars().collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let mut objects = 0;
    for round in 0..6000 {
        let mut document: Vec<char> = seeds[round % seeds.len()]
            .replace("VERSION", "1.8.2")
            .chars()
            .collect();
        for _ in 0..random(4) {
            let at = random(document.len());
            match random(3) {
                0 => document[at] = alphabet[random(alphabet.len())],
                1 => document.insert(at, alphabet[random(alphabet.len())]),
                _ => drop(document.drain(at..(at + 1 + random(8)).min(document.len() - 1).max(at))),
            }
        }
        let document: String = document.into_iter().collect();
        for config in [docker(&[&document]), schema2(&[(&document, false)])]
            .into_iter()
            .flatten()
        {
            let again = go_json::compact(go_json::document(config.as_bytes()).unwrap());
            assert_eq!(again, config, "{document}");
            objects += 1;
        }
    }
    assert!(objects > 1000, "{objects}");
}

#[test]
fn members_that_are_left_out_if_empty() {
    let config = |text: &str| {
        let v1 = format!(r#"{{"docker_version":"1.8.2","config":{text}}}"#);
        let config: serde_json::Value = serde_json::from_str(&docker(&[&v1]).unwrap()).unwrap();
        config["config"].clone()
    };
    let full = serde_json::json!({
        "ExposedPorts": { "80/tcp": {} }, "ArgsEscaped": true, "NetworkDisabled": true,
        "MacAddress": "00", "StopSignal": "9", "StopTimeout": 0, "Shell": ["sh"],
        "Healthcheck": { "Test": ["NONE"], "Interval": 1, "Timeout": 2, "StartPeriod": 3, "Retries": 4 },
    });
    let found = config(&full.to_string());
    for (name, value) in full.as_object().unwrap() {
        assert_eq!(found[name], *value, "{name}");
    }
    let empty = r#"{"ExposedPorts":{},"ArgsEscaped":false,"NetworkDisabled":false,"MacAddress":"",
        "StopSignal":"","Shell":[],"Healthcheck":{"Interval":0}}"#;
    let found = config(empty);
    let left_out = full.as_object().unwrap().keys();
    for name in left_out.filter(|name| *name != "Healthcheck") {
        assert_eq!(found.get(name), None, "{name}");
    }
    assert_eq!(found["Healthcheck"], serde_json::json!({}));
}

#[test]
fn members_of_another_kind_are_refused() {
    for (member, value, expected, found) in [
        ("Env", "{}", "a list of strings", "an object"),
        ("Tty", "\"yes\"", "a boolean", "a string"),
        ("StopTimeout", "\"5\"", "a 64-bit integer", "a string"),
        ("Labels", "[]", "an object", "a list"),
        ("Volumes", "[]", "an object", "a list"),
        ("Healthcheck", "[]", "an object", "a list"),
        ("Image", "5", "a string", "a number"),
    ] {
        let v1 = format!(r#"{{"docker_version":"1.8.2","config":{{"{member}":{value}}}}}"#);
        let error = message(&docker(&[&v1]).unwrap_err());
        let ending = format!("{member} is {found}, expected {expected}");
        assert!(error.ends_with(&ending), "{error}");
    }
}

#[test]
fn nesting_of_any_depth_is_kept() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let document = format!("{{\"docker_version\":\"1.9.1\",\"x\": {deep} }}");
    let expected = format!(",\"x\":{deep}}}");
    assert!(docker(&[&document]).unwrap().ends_with(&expected));
}
