//! The age of images.

use std::time::{SystemTime, UNIX_EPOCH};

/// The age of a time (RFC 3339). `None` if it is not a time, or is in the future.
pub fn age(time: &str) -> Option<String> {
    let then = seconds(time)?;
    // Reproducible images have no time.
    let age = now()?.checked_sub(then).filter(|age| *age >= 0)?;
    (then > 0).then(|| words(age))
}

/// Seconds since 1970, or `SOURCE_DATE_EPOCH` if it is set, for reproducible output
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn now() -> Option<i64> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH")
        && let Ok(seconds) = epoch.parse()
    {
        return Some(seconds);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn words(seconds: i64) -> String {
    const DAY: i64 = 24 * 3600;
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..DAY => (seconds / 3600, "hour"),
        _ if seconds < 60 * DAY => (seconds / DAY, "day"),
        // A year is 365.2425 days.
        _ if seconds < 730 * DAY => (seconds * 12 / 31_556_952, "month"),
        _ => (seconds / 31_556_952, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// Seconds since 1970 of a time such as `2024-01-02T03:04:05.678Z` or `…+01:00`.
fn seconds(time: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = time.get(range)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let is = |position: usize, expected: char| time[position..].starts_with(expected);
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(time.is_ascii() && is(4, '-') && is(7, '-') && is(13, ':') && is(16, ':')) {
        return None;
    }
    let zone = time[19..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let zone = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        (sign @ ("+" | "-"), offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if sign == "-" { -minutes } else { minutes }
        }
        _ => return None,
    };
    let days = days(year, month, day);
    Some(days * 24 * 3600 + hour * 3600 + (minute - zone) * 60 + second)
}

/// Days since 1970 of a Gregorian date. Years begin in March here, so that a leap day is the last day of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // From March, months have 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31 days.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    // By `date -u -d … +%s`.
    #[test]
    fn times_are_seconds() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T23:59:59.5Z", Some(1_709_251_199)),
            ("2000-03-01T00:00:00Z", Some(951_868_800)),
            ("2024-01-02T03:04:05.678901234Z", Some(1_704_164_645)),
            ("2024-01-02T04:04:05+01:00", Some(1_704_164_645)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2024-01-02", None),
            ("2024-01-02 03:04:05", None),
            ("2024-01-02T03:04:05+x", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(seconds(time), expected, "{time}");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, expected) in [
            (59, "just now"),
            (60, "1 minute ago"),
            (7200, "2 hours ago"),
            (86_400, "1 day ago"),
            (59 * 86_400, "59 days ago"),
            (61 * 86_400, "2 months ago"),
            (800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(words(seconds), expected);
        }
    }
}
