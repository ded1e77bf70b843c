//! Creates tars, and repairs mutated tars.

const BLOCK: usize = 512;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// A tar of regular files.
pub fn of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, bytes) in files {
        let mut header = [0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[SIZE].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        sign(&mut header);
        tar.extend_from_slice(&header);
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

/// A layout of linked documents, of which the first is index.json, with other files.
pub fn layout(linked: &[(String, Vec<u8>)], others: &[(&str, &[u8])]) -> Vec<u8> {
    let names = linked.iter().map(|(hex, _)| format!("blobs/sha256/{hex}"));
    let names: Vec<String> = names.collect();
    let mut files: Vec<(&str, &[u8])> = vec![
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        ("index.json", &linked[0].1),
    ];
    files.extend(others);
    for (name, (_, bytes)) in names.iter().zip(linked).skip(1) {
        files.push((name, bytes));
    }
    of(&files)
}

/// Corrects the checksum of every header, so that mutations are not rejected by it. A member that exceeds the end is shortened,
/// and the end-of-archive marker is added, unless the last byte is odd, because truncated tars must be tested too.
pub fn mend(tar: &mut Vec<u8>) {
    let lenient = tar.last().is_none_or(|byte| byte % 2 == 0);
    if lenient {
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    let mut offset = 0;
    while let Some(header) = tar.get_mut(offset..offset + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let size = octal(&header[SIZE]);
        sign(header);
        offset += BLOCK;
        let left = tar.len() - offset;
        let Some(mut size) = size else { continue };
        if size > left {
            if !lenient {
                return;
            }
            size = left;
            let header = &mut tar[offset - BLOCK..offset];
            header[SIZE].copy_from_slice(format!("{size:011o}\0").as_bytes());
            sign(header);
        }
        offset += size.next_multiple_of(BLOCK);
    }
    if lenient && !tar.ends_with(&[0; 2 * BLOCK]) {
        tar.resize(tar.len() + 2 * BLOCK, 0);
    }
}

fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(['\0', ' ']);
    usize::from_str_radix(digits, 8).ok()
}

fn sign(header: &mut [u8]) {
    header[CHECKSUM].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// The bytes of a member of a tar that ocify wrote, with short names and octal sizes.
pub fn member<'a>(tar: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut offset = 0;
    while let Some(header) = tar.get(offset..offset + BLOCK) {
        let end = header[..100].iter().position(|byte| *byte == 0).unwrap_or(100);
        let size = octal(&header[SIZE])?;
        offset += BLOCK;
        if &header[..end] == wanted.as_bytes() {
            return tar.get(offset..offset + size);
        }
        offset += size.next_multiple_of(BLOCK);
    }
    None
}
