//! JSON with repeated keys, and its mutations.

use serde_json::Value;

use crate::support::random::Random;

/// A document that keeps the order of its keys, and repeated keys.
#[derive(Debug, Clone)]
pub enum Json {
    /// A string, number, boolean or null as text.
    Scalar(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// A document in a string, as `v1Compatibility` is.
    Embedded(Box<Json>),
}

impl Json {
    pub fn parse(bytes: &[u8]) -> Option<Json> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        Some(Json::from(&value))
    }

    pub fn text(&self) -> String {
        match self {
            Json::Scalar(text) => text.clone(),
            Json::List(items) => {
                let items: Vec<String> = items.iter().map(Json::text).collect();
                format!("[{}]", items.join(","))
            }
            Json::Object(fields) => {
                let field = |(key, value): &(String, Json)| {
                    format!("{}:{}", Value::from(key.as_str()), value.text())
                };
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}", fields.join(","))
            }
            Json::Embedded(json) => Value::from(json.text()).to_string(),
        }
    }

    /// Whether it has parts that can be changed.
    pub fn has_parts(&self) -> bool {
        match self {
            Json::List(items) => !items.is_empty(),
            Json::Object(fields) => !fields.is_empty(),
            _ => false,
        }
    }

    /// The object without a field. `None` if it lacks the field.
    pub fn without(&self, key: &str) -> Option<Json> {
        let Json::Object(fields) = self else {
            return None;
        };
        let rest = fields.iter().filter(|(name, _)| name != key);
        let rest: Vec<(String, Json)> = rest.cloned().collect();
        (rest.len() < fields.len()).then_some(Json::Object(rest))
    }

    fn string(&self) -> Option<String> {
        let Json::Scalar(text) = self else {
            return None;
        };
        serde_json::from_str(text).ok()
    }

    /// This value and all values in it, each with its path and key.
    fn nodes<'a>(&'a self, way: &[usize], key: &'a str, found: &mut Vec<Node<'a>>) {
        found.push(Node {
            way: way.to_vec(),
            key,
            value: self,
        });
        let children: Vec<(&str, &Json)> = match self {
            Json::Scalar(_) => Vec::new(),
            Json::List(items) => items.iter().map(|item| ("", item)).collect(),
            Json::Object(fields) => fields.iter().map(|(key, value)| (&**key, value)).collect(),
            Json::Embedded(json) => vec![("", json)],
        };
        for (position, (key, child)) in children.into_iter().enumerate() {
            child.nodes(&[way, &[position]].concat(), key, found);
        }
    }

    fn at(&mut self, way: &[usize]) -> &mut Json {
        let Some((first, rest)) = way.split_first() else {
            return self;
        };
        match self {
            Json::Scalar(_) => unreachable!("a way through a scalar"),
            Json::List(items) => items[*first].at(rest),
            Json::Object(fields) => fields[*first].1.at(rest),
            Json::Embedded(json) => json.at(rest),
        }
    }

    /// All digests in here.
    pub fn digests(&self, found: &mut Vec<String>) {
        let mut nodes = Vec::new();
        self.nodes(&[], "", &mut nodes);
        let strings = nodes.iter().filter_map(|node| node.value.string());
        found.extend(strings.filter(|text| text.starts_with("sha256:")));
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Json {
        match value {
            Value::Array(items) => Json::List(items.iter().map(Json::from).collect()),
            Value::Object(fields) => {
                let fields = fields.iter();
                Json::Object(
                    fields
                        .map(|(key, value)| (key.clone(), Json::from(value)))
                        .collect(),
                )
            }
            Value::String(text) if text.starts_with('{') => match Json::parse(text.as_bytes()) {
                Some(json) => Json::Embedded(Box::new(json)),
                None => Json::Scalar(value.to_string()),
            },
            scalar => Json::Scalar(scalar.to_string()),
        }
    }
}

struct Node<'a> {
    way: Vec<usize>,
    key: &'a str,
    value: &'a Json,
}

/// The place of a change, and its context.
struct Target<'a> {
    parent: &'a mut Json,
    position: usize,
    /// Digests that are in the input.
    digests: &'a [String],
}

type Change = fn(&mut Target, &mut Random) -> Option<()>;

/// Mutations of a value by name. Common mistakes and attacks are more frequent.
const CHANGES: &[(&str, Change)] = &[
    ("key twice, same value", key_twice),
    ("key twice, other value", key_twice_other_value),
    ("key twice, other value", key_twice_other_value),
    ("key in two cases", key_in_two_cases),
    ("key in two cases", key_in_two_cases),
    ("key in another case", key_in_another_case),
    ("key in another case", key_in_another_case),
    ("dropped", dropped),
    ("dropped", dropped),
    ("another type", another_type),
    ("another type", another_type),
    ("another type", another_type),
    ("two values swapped", swapped),
    ("two values swapped", swapped),
    ("another number", another_number),
    ("another number", another_number),
    ("list of another length", another_length),
    ("another string", another_string),
    ("another string", another_string),
    ("digest of another blob", another_digest),
    ("well-known value in its place", well_known),
    ("well-known value in its place", well_known),
    ("unknown key", unknown_key),
];

/// Changes one value of a document. Returns a description of the change.
pub fn mutate(json: &mut Json, digests: &[String], random: &mut Random) -> (&'static str, String) {
    loop {
        let (name, change) = random.pick(CHANGES);
        let mut nodes = Vec::new();
        json.nodes(&[], "", &mut nodes);
        let node = nodes.swap_remove(random.below(nodes.len()));
        let Some((position, way)) = node.way.split_last() else {
            continue;
        };
        let (key, before) = (node.key.to_owned(), node.value.text());
        let (position, way) = (*position, way.to_vec());
        let mut target = Target {
            parent: json.at(&way),
            position,
            digests,
        };
        if change(&mut target, random).is_some() {
            let after: String = target.parent.text().chars().take(400).collect();
            let before: String = before.chars().take(100).collect();
            let what = format!("{name}: \"{key}\" (was {before}) in what is now {after}");
            return (name, what);
        }
    }
}

/// Damages the text of a document. Returns a description of the change.
pub fn spoil(text: &str, random: &mut Random) -> (&'static str, Vec<u8>) {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let first = |value: &str| {
        let field = format!("{{\"x-new\":{value},");
        text.replacen('{', &field, 1).into_bytes()
    };
    match random.below(9) {
        0 => ("not UTF-8", {
            let mut bytes = text.as_bytes().to_vec();
            let strings: Vec<usize> = (1..bytes.len())
                .filter(|at| bytes[at - 1].is_ascii_lowercase() && bytes[*at].is_ascii_lowercase())
                .collect();
            if let Some(at) = (!strings.is_empty()).then(|| *random.pick(&strings)) {
                bytes[at] = 0xff;
            }
            bytes
        }),
        1 => ("byte order mark", format!("\u{feff}{text}").into_bytes()),
        2 => ("text after the end", format!("{text}x").into_bytes()),
        3 => ("a second document", format!("{text}{text}").into_bytes()),
        4 => (
            "cut short",
            text.as_bytes()[..random.below(text.len())].to_vec(),
        ),
        5 => (
            "another document",
            random
                .pick(&["null", "[]", "{}", "[{}]", "[null]", "0", "\"\"", ""])
                .as_bytes()
                .to_vec(),
        ),
        6 => ("a number that no float holds", first("1e400")),
        7 => ("nested deep", first(&deep)),
        _ => ("a lone surrogate", first("\"\\ud800\"")),
    }
}

impl Target<'_> {
    fn fields(&mut self) -> Option<&mut Vec<(String, Json)>> {
        match self.parent {
            Json::Object(fields) => Some(fields),
            _ => None,
        }
    }

    fn value(&mut self) -> &mut Json {
        let position = self.position;
        self.parent.at(&[position])
    }

    /// Adds a field before or after all others.
    fn add(&mut self, key: String, value: Json, random: &mut Random) -> Option<()> {
        let fields = self.fields()?;
        let position = if random.once_in(2) { 0 } else { fields.len() };
        fields.insert(position, (key, value));
        Some(())
    }
}

fn scalar(text: &str) -> Json {
    Json::Scalar(text.to_owned())
}

fn any(random: &mut Random) -> Json {
    match random.below(11) {
        0 => Json::List(Vec::new()),
        1 => Json::Object(Vec::new()),
        2 => Json::List(vec![scalar("\"a\"")]),
        3 => Json::Object(vec![("a".to_owned(), scalar("\"b\""))]),
        4 => Json::List(vec![scalar("null")]),
        _ => scalar(random.pick::<&str>(&["null", "true", "0", "7", "\"\"", "\"text\""])),
    }
}

/// Another value of the same type, if there is one.
fn other(value: &Json, random: &mut Random) -> Json {
    match value {
        Json::List(items) if !items.is_empty() => {
            Json::List(items[..random.below(items.len())].to_vec())
        }
        Json::Object(fields) if !fields.is_empty() => {
            Json::Object(fields[..random.below(fields.len())].to_vec())
        }
        Json::Scalar(text) if text.starts_with('"') => scalar("\"other\""),
        Json::Scalar(text) if text.parse::<f64>().is_ok() => scalar("11"),
        _ => any(random),
    }
}

fn key_twice(target: &mut Target, random: &mut Random) -> Option<()> {
    let position = target.position;
    let (key, value) = target.fields()?[position].clone();
    target.add(key, value, random)
}

fn key_twice_other_value(target: &mut Target, random: &mut Random) -> Option<()> {
    let position = target.position;
    let (key, value) = target.fields()?[position].clone();
    let value = if random.once_in(2) {
        any(random)
    } else {
        other(&value, random)
    };
    target.add(key, value, random)
}

fn key_in_two_cases(target: &mut Target, random: &mut Random) -> Option<()> {
    let position = target.position;
    let (key, value) = target.fields()?[position].clone();
    let value = match random.below(3) {
        0 => value,
        1 => any(random),
        _ => other(&value, random),
    };
    target.add(in_another_case(&key, random)?, value, random)
}

fn key_in_another_case(target: &mut Target, random: &mut Random) -> Option<()> {
    let position = target.position;
    let key = &mut target.fields()?[position].0;
    *key = in_another_case(key, random)?;
    Some(())
}

/// Changes the case of all letters or of one, or uses `ſ` or the Kelvin sign, which Go treats as `s` and `k`.
fn in_another_case(key: &str, random: &mut Random) -> Option<String> {
    let flip = |letter: char| {
        if letter.is_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        }
    };
    let changed = match random.below(5) {
        0 => key.to_uppercase(),
        1 => key.to_lowercase(),
        2 => key.replace('s', "\u{17f}").replace('k', "\u{212a}"),
        3 => key.chars().map(flip).collect(),
        _ => {
            let first = key.chars().next()?;
            format!("{}{}", flip(first), &key[first.len_utf8()..])
        }
    };
    (changed != key).then_some(changed)
}

fn dropped(target: &mut Target, _: &mut Random) -> Option<()> {
    let position = target.position;
    match target.parent {
        Json::List(items) => drop(items.remove(position)),
        Json::Object(fields) => drop(fields.remove(position)),
        _ => return None,
    }
    Some(())
}

fn another_type(target: &mut Target, random: &mut Random) -> Option<()> {
    let value = target.value();
    let new = match (&*value, random.below(4)) {
        // Common mistakes: a number in quotes, a list with one element, the element itself.
        (Json::Scalar(text), 0) if !text.starts_with('"') => scalar(&format!("\"{text}\"")),
        (Json::Scalar(_) | Json::Object(_), 1) => Json::List(vec![value.clone()]),
        (Json::List(items), 0) => items.first()?.clone(),
        (Json::Embedded(json), 0) => (**json).clone(),
        _ => any(random),
    };
    if new.text() == value.text() {
        return None;
    }
    *value = new;
    Some(())
}

fn swapped(target: &mut Target, random: &mut Random) -> Option<()> {
    let position = target.position;
    match target.parent {
        Json::List(items) => {
            let other = random.below(items.len());
            if items[other].text() == items[position].text() {
                return None;
            }
            items.swap(position, other);
        }
        Json::Object(fields) => {
            let other = random.below(fields.len());
            let (one, two) = (fields[position].1.clone(), fields[other].1.clone());
            if one.text() == two.text() {
                return None;
            }
            fields[position].1 = two;
            fields[other].1 = one;
        }
        _ => return None,
    }
    Some(())
}

fn another_number(target: &mut Target, random: &mut Random) -> Option<()> {
    let value = target.value();
    let Json::Scalar(text) = value else {
        return None;
    };
    let number = text.parse::<f64>().ok()?;
    let new = match random.below(9) {
        0 => "-1".to_owned(),
        1 => "0".to_owned(),
        2 => "9223372036854775807".to_owned(),
        3 => "9223372036854775808".to_owned(),
        4 => "1e30".to_owned(),
        5 => format!("{text}.0"),
        6 => format!("{text}.5"),
        7 => format!("{text}e0"),
        _ => format!("{}", number + 1.0),
    };
    *value = Json::Scalar(new);
    Some(())
}

fn another_length(target: &mut Target, random: &mut Random) -> Option<()> {
    match target.value() {
        Json::List(items) if !items.is_empty() => match random.below(3) {
            0 => items.clear(),
            1 => items.extend(items.clone()),
            _ => items.push(items[0].clone()),
        },
        Json::Object(fields) if !fields.is_empty() => fields.clear(),
        _ => return None,
    }
    Some(())
}

fn another_string(target: &mut Target, random: &mut Random) -> Option<()> {
    let value = target.value();
    let text = value.string()?;
    let new = match random.below(8) {
        0 => String::new(),
        1 => text.to_uppercase(),
        2 => format!("{text} "),
        3 => format!("../{text}"),
        4 => format!("{text}\u{0}"),
        5 => text.chars().skip(1).collect(),
        6 => format!("{text}\u{200b}\u{1b}[31m"),
        _ => "x".repeat(5000),
    };
    if new == text {
        return None;
    }
    *value = Json::Scalar(Value::from(new).to_string());
    Some(())
}

fn another_digest(target: &mut Target, random: &mut Random) -> Option<()> {
    let digests = target.digests;
    let value = target.value();
    let text = value.string()?;
    if !text.starts_with("sha256:") {
        return None;
    }
    let new = random.pick(digests);
    if *new == text {
        return None;
    }
    *value = Json::Scalar(Value::from(new.as_str()).to_string());
    Some(())
}

/// Values that belong to some format, but not here.
fn well_known(target: &mut Target, random: &mut Random) -> Option<()> {
    let position = target.position;
    let (key, value) = &mut target.fields()?[position];
    let choices: &[&str] = match &*key.to_ascii_lowercase() {
        "schemaversion" => &["1", "3", "\"2\"", "null", "2.0", "[2]"],
        "mediatype" => &[
            "\"application/vnd.oci.image.manifest.v1+json\"",
            "\"application/vnd.oci.image.index.v1+json\"",
            "\"application/vnd.oci.image.config.v1+json\"",
            "\"application/vnd.oci.empty.v1+json\"",
            "\"application/vnd.docker.distribution.manifest.v2+json\"",
            "\"application/vnd.docker.distribution.manifest.list.v2+json\"",
            "\"application/vnd.docker.container.image.v1+json\"",
            "\"application/vnd.oci.image.layer.v1.tar+zstd\"",
            "\"application/vnd.oci.image.layer.v1.tar\"",
            "\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\"",
            "\"text/plain\"",
        ],
        "os" | "architecture" => &["\"unknown\"", "\"\"", "\"windows\"", "\"x86_64\""],
        "repotags" => &["null", "[]", "[\"other:1\"]", "[\"app:1.0\",\"app:1.0\"]"],
        "layers" | "manifests" | "fslayers" | "history" | "diff_ids" => &["null", "[]"],
        "annotations" | "platform" | "config" | "rootfs" => &["null", "{}"],
        "alg" => &["\"none\"", "\"HS256\"", "\"RS256\""],
        _ => return None,
    };
    *value = scalar(random.pick::<&str>(choices));
    Some(())
}

/// Fields that mean something elsewhere.
fn unknown_key(target: &mut Target, random: &mut Random) -> Option<()> {
    let (key, value) = *random.pick(&[
        ("x-unknown", "[1,{}]"),
        ("manifests", "[]"),
        ("layers", "[]"),
        ("fsLayers", "[]"),
        ("config", "{}"),
        ("urls", "[\"https://example.invalid/x\"]"),
        ("urls", "[1]"),
        ("data", "\"e30=\""),
        ("artifactType", "\"application/x-test\""),
        ("subject", "{}"),
        ("annotations", "{\"z\":1}"),
        (
            "annotations",
            "{\"org.opencontainers.image.ref.name\":\"other:1\"}",
        ),
        ("platform", "{\"os\":\"\",\"architecture\":\"\"}"),
        ("LayerSources", "{}"),
        ("parent", "\"x\""),
        ("throwaway", "true"),
    ]);
    target.add(key.to_owned(), scalar(value), random)
}
