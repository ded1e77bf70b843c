//! PAX records: `LENGTH KEY=VALUE\n`, where the length counts the whole record.
//!
//! Only the lengths separate them: a value may contain line ends and any other bytes, as extended attributes do.
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03>

use std::collections::BTreeMap;

/// A key and a value.
type Record<'a> = (&'a [u8], &'a [u8]);

const SPARSE: &[u8] = b"GNU.sparse.";

/// The records of a member's PAX header that are used. Owners, times and attributes are only checked.
#[derive(Debug, Default)]
pub(crate) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    /// The sparse records, by the part of the key after `GNU.sparse.`. The pairs of format 0.0 are in `map`, as in format 0.1.
    pub sparse: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Why readers may disagree about the records.
    pub doubt: Option<&'static str>,
}

impl Pax {
    /// Parses the header of one member.
    ///
    /// # Errors
    /// The reason why engines refuse it.
    pub fn parse(bytes: &[u8]) -> Result<Pax, String> {
        let mut pax = Pax::default();
        let mut pairs: Vec<&[u8]> = Vec::new();
        for (key, value) in checked(bytes)? {
            pax.doubt = pax.doubt.or(pax.doubt_of(key, value));
            // An empty value removes the earlier one.
            let text = || Some(value.to_vec()).filter(|value| !value.is_empty());
            match key {
                b"path" => pax.path = text(),
                b"linkpath" => pax.link = text(),
                b"size" => {
                    let size = number(key, value)?.map(u64::try_from).transpose();
                    pax.size = size.map_err(|_| not_a(key, value, "size"))?;
                }
                b"uid" | b"gid" => drop(number(key, value)?),
                b"mtime" | b"atime" | b"ctime" => time(key, value)?,
                b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => pairs.push(value),
                key => {
                    if let Some(key) = key.strip_prefix(SPARSE) {
                        pax.sparse.insert(key.to_vec(), value.to_vec());
                    }
                }
            }
        }
        if !pairs.is_empty() {
            pax.sparse.insert(b"map".to_vec(), pairs.join(&b','));
        }
        Ok(pax)
    }

    /// A sparse record. Empty if it is missing.
    pub fn sparse(&self, key: &str) -> &[u8] {
        self.sparse.get(key.as_bytes()).map_or(&[], Vec::as_slice)
    }

    fn doubt_of(&self, key: &[u8], value: &[u8]) -> Option<&'static str> {
        match key {
            b"path" | b"linkpath" | b"size" if value.is_empty() => Some(
                "an extension header sets an empty name, link or size: Go ignores it, others do not",
            ),
            b"size" if !value.iter().all(u8::is_ascii_digit) => {
                Some("its PAX size has a sign: Go and Python accept it, GNU tar ignores it")
            }
            b"path" if self.sparse.contains_key(&b"name"[..]) => Some(
                "a PAX path follows the name of a sparse file: Python takes the path, others the name",
            ),
            b"size" if !self.sparse("size").is_empty() || !self.sparse("realsize").is_empty() => {
                Some(
                    "a PAX size follows the size of a sparse file: Python takes the former, others the latter",
                )
            }
            _ => None,
        }
    }
}

/// Whether a global header sets names or sizes.
///
/// # Errors
/// The reason why engines refuse it.
pub(crate) fn is_relevant(bytes: &[u8]) -> Result<bool, String> {
    let mut records = checked(bytes)?.into_iter();
    Ok(records
        .any(|(key, _)| matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(SPARSE)))
}

/// The records, if Go accepts all of them.
fn checked(bytes: &[u8]) -> Result<Vec<Record<'_>>, String> {
    let records = records(bytes).ok_or("its PAX records are damaged")?;
    let mut numbers = 0;
    for &(key, value) in &records {
        let fits = match key {
            b"path" | b"linkpath" | b"uname" | b"gname" => !value.contains(&0),
            b"GNU.sparse.offset" => {
                numbers += 1;
                numbers % 2 == 1 && !value.contains(&b',')
            }
            b"GNU.sparse.numbytes" => {
                numbers += 1;
                numbers % 2 == 0 && !value.contains(&b',')
            }
            key => !key.contains(&0),
        };
        if !fits {
            let key = String::from_utf8_lossy(key);
            return Err(format!("its PAX record {key} is damaged"));
        }
    }
    Ok(records)
}

fn number(key: &[u8], value: &[u8]) -> Result<Option<i64>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|value| value.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| not_a(key, value, "64-bit integer"))
}

fn time(key: &[u8], value: &[u8]) -> Result<(), String> {
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    number(key, parts.next().unwrap_or_default())?;
    let fraction = parts.next().unwrap_or_default();
    if fraction.iter().all(u8::is_ascii_digit) {
        return Ok(());
    }
    Err(not_a(key, value, "time"))
}

fn not_a(key: &[u8], value: &[u8], what: &str) -> String {
    let key = String::from_utf8_lossy(key);
    let value: String = String::from_utf8_lossy(value).chars().take(40).collect();
    format!("its PAX record {key} is {value:?}, expected a {what}")
}

/// The records of an extension header in order. `None` if it is damaged.
fn records(mut bytes: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
        let record = bytes.get(space + 1..length)?;
        let (b'\n', record) = record.split_last()? else {
            return None;
        };
        let equals = record.iter().position(|byte| *byte == b'=')?;
        if equals == 0 {
            return None;
        }
        records.push((&record[..equals], &record[equals + 1..]));
        bytes = &bytes[length..];
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_line_ends_and_any_bytes() {
        let bytes = b"12 path=a\nb\n29 SCHILY.xattr.user.x=\n5 \xff\0\n";
        let expected: [(&[u8], &[u8]); 2] =
            [(b"path", b"a\nb"), (b"SCHILY.xattr.user.x", b"\n5 \xff\0")];
        assert_eq!(records(bytes).unwrap(), expected);
        assert_eq!(records(b"").unwrap(), []);
    }

    #[test]
    fn damaged_records_are_refused() {
        for bad in [
            &b"8 path=a\n"[..],
            b"11 path=a\n",
            b"10 path=a\n\n",
            b"9 path-a\n",
            b"5 =a\n",
            b"0 path=a\n",
            b"-1 path=a\n",
            b"path=a\n",
            b"99999999999999999999999 path=a\n",
            b"1 ",
        ] {
            assert_eq!(records(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
