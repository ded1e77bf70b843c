//! PAX records: `LENGTH KEY=VALUE\n`, where the length counts the whole record.
//!
//! They are told apart by their lengths alone: a value may hold line ends and any other bytes, as extended attributes do.
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03>

/// The records of an extension header in their order; `None` when it is damaged.
pub(crate) fn records(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
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
