//! Lines that fit into the width of the screen.

use std::time::Duration;

use indicatif::HumanBytes;

use crate::cli::escape::escape;

/// How far something is.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    pub done: u64,
    pub of: Option<u64>,
}

/// The parts of a line. Parts that do not fit are left out, the last first.
#[derive(Debug, Clone)]
pub struct LineParts {
    /// The subject.
    pub label: String,
    /// A shorter form for narrow screens.
    pub short: String,
    pub amount: Amount,
    /// Bytes per second.
    pub rate: Option<u64>,
    pub left: Option<Duration>,
}

/// Minimum and maximum width of a bar.
const BAR: std::ops::RangeInclusive<usize> = 8..=30;

/// The longest line that fits into `width` columns.
pub fn fit(parts: &LineParts, width: usize) -> String {
    let amount = amount(parts.amount);
    let percent = percent(parts.amount);
    let rate = parts.rate.map(speed);
    let left = parts.left.map(|left| format!("{} left", duration(left)));
    let all = [
        [Some(&amount), rate.as_ref(), left.as_ref()],
        [Some(&amount), None, left.as_ref()],
        [percent.as_ref(), None, left.as_ref()],
        [percent.as_ref().or(Some(&amount)), None, None],
    ];
    let texts = all.map(|parts| {
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join("  ")
    });
    let label = columns(&parts.label);
    let space_after = |text: &str| width.checked_sub(label + "  ".len() + text.len());
    // The line has a bar, unless too many parts would be left out for it.
    for text in &texts[..2] {
        if let Some(space) = space_after(text).and_then(|space| space.checked_sub("[]  ".len()))
            && let (Some(of), true) = (parts.amount.of, space >= *BAR.start())
        {
            let bar = bar(parts.amount.done, of, space.min(*BAR.end()));
            return format!("{}  [{bar}]  {text}", parts.label);
        }
    }
    let fitting = texts.iter().find(|text| space_after(text).is_some());
    if let Some(text) = fitting {
        return format!("{}  {text}", parts.label);
    }
    let line = format!("{} {}", parts.short, percent.unwrap_or_default());
    line.chars().take(width).collect()
}

/// All parts as a sentence, for logs.
pub fn sentence(parts: &LineParts) -> String {
    let mut line = format!("{}, {}", parts.label, amount(parts.amount));
    if let Some(rate) = parts.rate {
        line = format!("{line}, {}", speed(rate));
    }
    if let Some(left) = parts.left {
        line = format!("{line}, {} left", duration(left));
    }
    line
}

fn amount(Amount { done, of }: Amount) -> String {
    match of {
        Some(of) => format!("{} of {}", bytes(done.min(of)), bytes(of)),
        None => bytes(done),
    }
}

fn percent(Amount { done, of }: Amount) -> Option<String> {
    let of = of.filter(|of| *of > 0)?;
    Some(format!(
        "{}%",
        u128::from(done.min(of)) * 100 / u128::from(of)
    ))
}

fn bar(done: u64, of: u64, width: usize) -> String {
    let filled = u128::from(done.min(of)) * width as u128 / u128::from(of.max(1));
    let filled = usize::try_from(filled).unwrap_or(width).min(width);
    let head = if filled < width { ">" } else { "" };
    format!("{:<width$}", format!("{}{head}", "=".repeat(filled)))
}

/// A number of bytes.
pub fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

fn speed(rate: u64) -> String {
    format!("{}/s", bytes(rate))
}

/// A duration in its two largest units.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

/// A verb and a name in at most `width` columns. A long name is cut at its start, because names differ at their end.
pub fn labelled(verb: &str, name: &str, width: usize) -> String {
    let width = width.saturating_sub(verb.len() + 1);
    format!("{verb} {}", cut_front(&escape(name), width))
}

fn cut_front(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = 1;
    let mut start = text.len();
    for (position, character) in text.char_indices().rev() {
        kept += column(character);
        if kept > width {
            break;
        }
        start = position;
    }
    format!("…{}", &text[start..])
}

/// Maximum number of columns of a text.
pub fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// Some characters take two columns; which ones depends on the terminal.
fn column(character: char) -> usize {
    if character.is_ascii() || character == '…' {
        1
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> LineParts {
        LineParts {
            label: "3 of 12 layers".to_owned(),
            short: "3/12".to_owned(),
            amount: Amount {
                done: 1 << 30,
                of: Some(4 << 30),
            },
            rate: Some(85 << 20),
            left: Some(Duration::from_secs(36)),
        }
    }

    #[test]
    fn lines_fit_any_width() {
        let mut long = parts();
        long.label = labelled(
            "reading",
            "registry/ä/\u{1b}[2J/ein sehr langer Name.tar",
            30,
        );
        for parts in [parts(), long] {
            for width in 1..200 {
                let line = fit(&parts, width);
                assert!(columns(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn what_fits_is_shown() {
        let line = |width| fit(&parts(), width);
        assert_eq!(
            line(100),
            "3 of 12 layers  [=======>                      ]  1.00 GiB of 4.00 GiB  85.00 MiB/s  36 s left"
        );
        assert_eq!(
            line(79),
            "3 of 12 layers  [===>           ]  1.00 GiB of 4.00 GiB  85.00 MiB/s  36 s left"
        );
        assert_eq!(line(39), "3 of 12 layers  25%  36 s left");
        assert_eq!(line(25), "3 of 12 layers  25%");
        assert_eq!(line(12), "3/12 25%");
        assert_eq!(
            sentence(&parts()),
            "3 of 12 layers, 1.00 GiB of 4.00 GiB, 85.00 MiB/s, 36 s left"
        );
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3599, "59 min 59 s"),
            (7260, "2 h 1 min"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }
}
