//! Text that was taken from an archive, made harmless for a terminal.

use std::fmt::Write;

/// The text with control characters, and those that reorder text on a screen, written as escapes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "{}", character.escape_unicode());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Whether a character could do something to a terminal, or to the order of the text on it.
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        // Line and paragraph separators; marks and overrides of the writing direction (CVE-2021-42574).
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(escape("app:1.0 \u{e4}\u{65e5}"), "app:1.0 \u{e4}\u{65e5}");
        assert_eq!(escape("\u{1b}[2J\n\u{202e}"), r"\u{1b}[2J\u{a}\u{202e}");
    }
}
