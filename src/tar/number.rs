//! Numbers in tar headers.

/// The number in a field: octal digits between spaces and NULs, or base 256 if the first bit is set. An empty field is 0.
/// `None` if the field is not a number or the number is too large.
///
/// Like Go's `archive/tar`, and therefore every engine: <https://github.com/golang/go/blob/go1.25.0/src/archive/tar/strconv.go>.
pub(crate) fn number(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => base_256(field),
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<i64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let mut bytes = field.iter();
    let mut number = 0;
    // Each header has many numbers, so each byte is examined only once.
    let mut next = bytes.find(|byte| !is_padding(byte));
    while let Some(byte) = next {
        match byte {
            b'0'..=b'7' if number < 1 << 60 => number = number << 3 | i64::from(byte - b'0'),
            // Bytes after a NUL are ignored.
            0 => break,
            b' ' if bytes.all(is_padding) => break,
            _ => return None,
        }
        next = bytes.next();
    }
    Some(number)
}

/// Two's complement without the first bit.
fn base_256(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    let negative = first & 0x40 != 0;
    let start = i64::from(first & 0x3f) - if negative { 0x40 } else { 0 };
    rest.iter().try_fold(start, |number, byte| {
        number.checked_mul(256)?.checked_add(i64::from(*byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_form() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"0000644 ", Some(0o644)),
            (b"    644\0", Some(0o644)),
            (b"00000644", Some(0o644)),
            (b"\0\x000644 \0", Some(0o644)),
            (b"644\x00999", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"0000648\0", None),
            (b"-000644\0", None),
            (b"+000644\0", None),
            (b"6 44\0\0\0\0", None),
            (b"777777777777777777777777", None),
            (b"\x80\0\0\0\0\0\x01\x02", Some(258)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                Some(i64::MAX),
            ),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Some(i64::MIN)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\x05", None),
        ] {
            assert_eq!(number(field), expected, "{}", field.escape_ascii());
        }
    }
}
