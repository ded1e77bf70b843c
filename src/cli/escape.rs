//! Escapes text from inputs for terminals.

use std::fmt::Write;

/// Escapes control characters, characters that reorder text, and invisible characters.
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

/// Whether a character can control a terminal, reorder its text (CVE-2021-42574), or is invisible, so that different names
/// look the same.
pub fn is_harmful(character: char) -> bool {
    character.is_control() || is_format(character) || is_blank(character)
}

/// Unicode's general categories Cf, Zl and Zp.
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Invisible letters and marks (Unicode's property `Default_Ignorable_Code_Point`, without those above).
fn is_blank(character: char) -> bool {
    matches!(character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(escape("app:1.0 \u{e4}\u{65e5}"), "app:1.0 \u{e4}\u{65e5}");
        assert_eq!(escape("\u{1b}[2J\n\u{202e}"), r"\u{1b}[2J\u{a}\u{202e}");
        for invisible in [
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{2066}',
            '\u{e0041}',
            '\u{3164}',
        ] {
            let escaped = invisible.escape_unicode().to_string();
            assert_eq!(escape(&format!("a{invisible}b")), format!("a{escaped}b"));
        }
    }
}
