//! Times as Go's `time.Time` parses and formats them in JSON.

/// The zero value of Go's `time.Time`.
pub const ZERO: &str = "0001-01-01T00:00:00Z";

/// Formats the time in `text` as Go does: RFC 3339 with the necessary digits of the fraction, at most nine, and `Z` for an
/// offset of zero. `None` if Go refuses the time.
///
/// Like Go, this accepts more than RFC 3339: an hour with one digit, and a comma in place of the dot.
#[must_use]
pub fn normalized(text: &str) -> Option<String> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = split(date, '-')?;
    let zone_start = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone_start)?;
    let (clock, fraction) = match clock.split_once(['.', ',']) {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let [hour, minute, second] = split(clock, ':')?;

    let hour = number(hour, 2).or_else(|| number(hour, 1))?;
    let (minute, second) = (number(minute, 2)?, number(second, 2)?);
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let in_range =
        (1..=days(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !in_range {
        return None;
    }
    let fraction = match fraction {
        Some(digits) => fraction_text(digits)?,
        None => String::new(),
    };
    let zone = zone_text(zone)?;
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"
    ))
}

fn split(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let found = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(found)
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let all_digits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok())?
}

/// Number of days in a month. 0 if there is no such month.
fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    }
}

fn fraction_text(digits: &str) -> Option<String> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = digits.get(..9).unwrap_or(digits).trim_end_matches('0');
    Some(if nanoseconds.is_empty() {
        String::new()
    } else {
        format!(".{nanoseconds}")
    })
}

fn zone_text(zone: &str) -> Option<String> {
    if zone == "Z" {
        return Some(zone.to_owned());
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let in_range = number(hours, 2)? < 24 && number(minutes, 2)? < 60;
    let zero = hours == "00" && minutes == "00";
    in_range.then(|| {
        if zero {
            "Z".to_owned()
        } else {
            zone.to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::normalized;

    /// Both columns from Go 1.19: `time.Time.UnmarshalJSON`, then `MarshalJSON`.
    #[test]
    fn times_come_out_as_go_writes_them() {
        for (text, expected) in [
            (
                "2016-05-04T06:26:41.522308365Z",
                "2016-05-04T06:26:41.522308365Z",
            ),
            ("2016-05-04T06:26:41.520000000Z", "2016-05-04T06:26:41.52Z"),
            ("2016-05-04T06:26:41.000Z", "2016-05-04T06:26:41Z"),
            (
                "2016-05-04T06:26:41.1234567899Z",
                "2016-05-04T06:26:41.123456789Z",
            ),
            ("2016-05-04T06:26:41,5Z", "2016-05-04T06:26:41.5Z"),
            ("2016-05-04T6:26:41Z", "2016-05-04T06:26:41Z"),
            ("2016-05-04T06:26:41+02:00", "2016-05-04T06:26:41+02:00"),
            (
                "2016-05-04T06:26:41.10-00:30",
                "2016-05-04T06:26:41.1-00:30",
            ),
            ("2016-05-04T06:26:41+00:00", "2016-05-04T06:26:41Z"),
            ("2016-05-04T06:26:41-00:00", "2016-05-04T06:26:41Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(normalized(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_go_takes_for_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2016-05-04",
            "2016-05-04T06:26:41",
            "2016-05-04t06:26:41z",
            "2016-05-04 06:26:41Z",
            "16-05-04T06:26:41Z",
            "2016-13-04T06:26:41Z",
            "2016-00-04T06:26:41Z",
            "2016-04-31T06:26:41Z",
            "1900-02-29T06:26:41Z",
            "2016-05-04T24:26:41Z",
            "2016-05-04T06:60:41Z",
            "2016-05-04T06:26:60Z",
            "2016-05-04T06:26:41.Z",
            "2016-05-04T06:26:41+0200",
            "2016-05-04T06:26:41ZZ",
            "2016-05-04T06:26:4\u{661}Z",
            "2016-05-04T06:26:41é02:00",
        ] {
            assert_eq!(normalized(text), None, "{text}");
        }
    }
}
