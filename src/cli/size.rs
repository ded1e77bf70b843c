//! Sizes in options.

/// The units. As with dd and split, a single letter means the same as with `iB`.
const BINARY: u128 = 1024;
const DECIMAL: u128 = 1000;

/// A number of bytes: `512`, `512M`, `1.5G`, `10GB`, `1 KiB`, in lower or upper case.
pub fn parse(text: &str) -> Result<u64, String> {
    size(text).ok_or_else(|| "expected a size such as 512M, 1.5G, 1KiB or 10GB".to_owned())
}

fn size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit_size(unit.trim_start())?;
    let (whole, fraction) = match number.split_once('.') {
        // Fractions of a byte are refused.
        Some((_, fraction)) if fraction.is_empty() || unit == 1 => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    // Further digits are less than a byte in any unit.
    let fraction = fraction.get(..15).unwrap_or(fraction);
    let places = u32::try_from(fraction.len()).ok()?;
    let whole: u128 = whole.parse().ok()?;
    let part = match fraction {
        "" => 0,
        digits => digits.parse::<u128>().ok()? * unit / 10_u128.pow(places),
    };
    u64::try_from(whole.checked_mul(unit)?.checked_add(part)?).ok()
}

fn unit_size(unit: &str) -> Option<u128> {
    let unit = unit.to_ascii_lowercase();
    let (letter, base) = match unit.strip_suffix("ib") {
        Some(letter) if !letter.is_empty() => (letter, BINARY),
        _ => match unit.strip_suffix('b') {
            Some(letter) => (letter, DECIMAL),
            None => (&*unit, BINARY),
        },
    };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    Some(base.pow(power))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        for (text, size) in [
            ("0", 0),
            ("512", 512),
            ("512B", 512),
            ("1k", 1 << 10),
            ("1K", 1 << 10),
            ("1KiB", 1 << 10),
            ("1KB", 1000),
            ("1.5G", 3 << 29),
            ("1.50 GiB", 3 << 29),
            ("4.7GB", 4_700_000_000),
            ("10GB", 10_000_000_000),
            ("2t", 2 << 40),
            ("0.0001K", 0),
            ("1.00000000000000000000000001K", 1 << 10),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
        for text in [
            "",
            "G",
            ".5G",
            "1.G",
            "1.5",
            "1.5B",
            "1..5G",
            "-1",
            "+1",
            "1X",
            "1KK",
            "1iB",
            "1e3",
            "1,5G",
            "18446744073709551616",
            "16777216T",
            "1.2.3K",
            "99999999999999999999999999999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
