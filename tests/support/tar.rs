//! Writes tars header by header, in each dialect that tools use.

/// A member of an archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// The name in the header.
    pub name: String,
    /// The kind of member.
    pub body: Body,
    /// The dialect of the header.
    pub dialect: Dialect,
}

/// The kinds of members.
#[derive(Debug, Clone)]
pub enum Body {
    File(Vec<u8>),
    Symlink(String),
    HardLink(String),
    Folder,
    Fifo,
    Sparse(Sparse),
}

/// A file with holes.
#[derive(Debug, Clone)]
pub struct Sparse {
    pub format: SparseFormat,
    /// Position and bytes of each stored fragment.
    pub fragments: Vec<(u64, Vec<u8>)>,
    /// Size including holes.
    pub size: u64,
}

/// GNU tar's formats of sparse members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SparseFormat {
    Gnu,
    Pax00,
    Pax01,
    Pax10,
}

/// The encodings of long names and sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Names up to 100 bytes.
    Plain,
    /// GNU's long names, even for short ones.
    GnuLong,
    /// PAX records for name, link and size, even if they fit into the header.
    Pax,
}

impl Member {
    pub fn new(name: &str, body: Body) -> Member {
        Member {
            name: name.to_owned(),
            body,
            dialect: Dialect::Plain,
        }
    }

    pub fn file(name: &str, bytes: impl Into<Vec<u8>>) -> Member {
        Member::new(name, Body::File(bytes.into()))
    }

    /// The bytes of a file. Empty for other members.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::File(bytes) => bytes,
            _ => &[],
        }
    }
}

/// The two zero blocks that end an archive.
pub const END: [u8; 1024] = [0; 1024];

/// An archive of `members` with its end.
pub fn tar(members: &[Member]) -> Vec<u8> {
    let mut bytes = without_end(members);
    bytes.extend(END);
    bytes
}

/// An archive without the end-of-archive marker.
pub fn without_end(members: &[Member]) -> Vec<u8> {
    members.iter().flat_map(member).collect()
}

fn member(member: &Member) -> Vec<u8> {
    let Member {
        name,
        body,
        dialect,
    } = member;
    let (kind, link, data) = match body {
        Body::File(data) => (b'0', "", data.as_slice()),
        Body::Symlink(link) => (b'2', link.as_str(), &[][..]),
        Body::HardLink(link) => (b'1', link.as_str(), &[][..]),
        Body::Folder => (b'5', "", &[][..]),
        Body::Fifo => (b'6', "", &[][..]),
        Body::Sparse(sparse) => return sparse_member(name, sparse),
    };
    let mut bytes = Vec::new();
    match dialect {
        Dialect::Plain => bytes.extend(header(name, kind, data.len() as u64, link)),
        Dialect::GnuLong => {
            for (kind, text) in [(b'K', link), (b'L', name)] {
                if !text.is_empty() {
                    let text = format!("{text}\0");
                    bytes.extend(header("././@LongLink", kind, text.len() as u64, ""));
                    bytes.extend(padded(text.as_bytes()));
                }
            }
            bytes.extend(header("cut short", kind, data.len() as u64, "cut short"));
        }
        Dialect::Pax => {
            let mut records = vec![("path", name.clone())];
            if !link.is_empty() {
                records.push(("linkpath", link.to_owned()));
            }
            records.push(("size", data.len().to_string()));
            bytes.extend(pax(&records));
            // The size in the header is zero.
            bytes.extend(header("cut short", kind, 0, "cut short"));
        }
    }
    bytes.extend(padded(data));
    bytes
}

fn sparse_member(name: &str, sparse: &Sparse) -> Vec<u8> {
    let stored: Vec<u8> = sparse
        .fragments
        .iter()
        .flat_map(|(_, bytes)| bytes.clone())
        .collect();
    let map: Vec<(u64, u64)> = sparse
        .fragments
        .iter()
        .map(|(position, bytes)| (*position, bytes.len() as u64))
        .collect();
    let size = sparse.size.to_string();
    let numbers = || {
        map.iter()
            .flat_map(|(position, length)| [*position, *length])
    };
    let mut bytes = Vec::new();
    match sparse.format {
        SparseFormat::Gnu => return gnu_sparse(name, &map, &stored, sparse.size),
        SparseFormat::Pax00 => {
            let mut records = vec![
                ("GNU.sparse.size", size),
                ("GNU.sparse.numblocks", map.len().to_string()),
            ];
            for (position, length) in &map {
                records.push(("GNU.sparse.offset", position.to_string()));
                records.push(("GNU.sparse.numbytes", length.to_string()));
            }
            bytes.extend(pax(&records));
            bytes.extend(header(name, b'0', stored.len() as u64, ""));
        }
        SparseFormat::Pax01 => {
            let list: Vec<String> = numbers().map(|number| number.to_string()).collect();
            bytes.extend(pax(&[
                ("GNU.sparse.size", size),
                ("GNU.sparse.numblocks", map.len().to_string()),
                ("GNU.sparse.name", name.to_owned()),
                ("GNU.sparse.map", list.join(",")),
            ]));
            bytes.extend(header("GNUSparseFile.0/x", b'0', stored.len() as u64, ""));
        }
        SparseFormat::Pax10 => {
            bytes.extend(pax(&[
                ("GNU.sparse.major", "1".to_owned()),
                ("GNU.sparse.minor", "0".to_owned()),
                ("GNU.sparse.name", name.to_owned()),
                ("GNU.sparse.realsize", size),
            ]));
            let lines = concat(numbers().map(|number| format!("{number}\n")));
            let map = padded(format!("{}\n{lines}", map.len()).as_bytes());
            let length = (map.len() + stored.len()) as u64;
            bytes.extend(header("GNUSparseFile.0/x", b'0', length, ""));
            bytes.extend(map);
        }
    }
    bytes.extend(padded(&stored));
    bytes
}

/// Four fragments in the header at byte 386, 21 in each extension block.
fn gnu_sparse(name: &str, map: &[(u64, u64)], stored: &[u8], size: u64) -> Vec<u8> {
    let entry = |(position, length): &(u64, u64)| format!("{position:011o}\0{length:011o}\0");
    let mut head = header(name, b'S', stored.len() as u64, "");
    head[257..265].copy_from_slice(b"ustar  \0");
    let (first, rest) = map.split_at(map.len().min(4));
    let fragments = concat(first.iter().map(entry));
    head[386..386 + fragments.len()].copy_from_slice(fragments.as_bytes());
    head[482] = u8::from(!rest.is_empty());
    head[483..494].copy_from_slice(format!("{size:011o}").as_bytes());
    let mut bytes = checksummed(head).to_vec();
    let blocks: Vec<_> = rest.chunks(21).collect();
    for (number, block) in blocks.iter().enumerate() {
        let mut extension = [0; 512];
        let fragments = concat(block.iter().map(entry));
        extension[..fragments.len()].copy_from_slice(fragments.as_bytes());
        extension[504] = u8::from(number + 1 < blocks.len());
        bytes.extend(extension);
    }
    bytes.extend(padded(stored));
    bytes
}

/// A PAX header with these records.
pub fn pax(records: &[(&str, String)]) -> Vec<u8> {
    let records = concat(records.iter().map(|(key, value)| record(key, value)));
    let mut bytes = header("PaxHeaders.0/x", b'x', records.len() as u64, "").to_vec();
    bytes.extend(padded(records.as_bytes()));
    bytes
}

/// The length of a record includes its own digits.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length += 1;
    }
    format!("{length}{rest}")
}

/// A ustar header.
pub fn header(name: &str, kind: u8, size: u64, link: &str) -> [u8; 512] {
    assert!(
        name.len() <= 100 && link.len() <= 100,
        "too long for a header: {name} {link}"
    );
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    checksummed(header)
}

/// The header with a correct checksum.
pub fn checksummed(mut header: [u8; 512]) -> [u8; 512] {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(512), 0);
    data
}

fn concat(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().concat()
}
