//! Text from elsewhere, made harmless for a terminal.
//!
//! A model, a server or a file name can hold escape sequences that rewrite what
//! is on screen: a verdict, for instance. Nothing of the kind is printed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Replaces what could move the cursor, change colours or reorder text.
///
/// Control characters become their Unicode pictures; what reorders or hides
/// text becomes U+FFFD. Line feeds and tabs stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(picture).collect())
}

/// The same for text that must stay on one line.
pub(crate) fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "␊").replace('\t', " ")
}

/// JSON with every character that a terminal could act on written as an escape,
/// so that nothing is lost and nothing is obeyed.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        if is_harmless(char) {
            escaped.push(char);
        } else {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                let _infallible = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

fn is_harmless(char: char) -> bool {
    match char {
        '\n' | '\t' => true,
        // Bidirectional controls, invisible separators and tags: they make text
        // read differently from what it is (Unicode TR 36 §2.2, TR 9 §2).
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => false,
        char => !char.is_control(),
    }
}

fn picture(char: char) -> char {
    match u32::from(char) {
        _ if is_harmless(char) => char,
        control @ 0..=0x1f => {
            char::from_u32(0x2400 | control).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_not_changed() {
        let text = "Grüße,\n\tнорм 你好 👋🏽";
        assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn no_control_character_survives() {
        let all: String = ('\0'..='\u{9f}').chain('\u{2000}'..='\u{206f}').collect();
        let out = harmless(&all);
        assert!(
            out.chars()
                .all(|char| char == '\n' || char == '\t' || !char.is_control())
        );
        assert!(!out.contains('\u{202e}') && !out.contains('\u{2066}'));
    }

    #[test]
    fn an_escape_sequence_becomes_visible() {
        assert_eq!(
            harmless("\u{1b}[2Jverified\u{9b}1m\u{7}\r"),
            "␛[2Jverified\u{fffd}1m␇␍"
        );
    }

    #[test]
    fn a_name_cannot_start_a_new_line() {
        assert_eq!(one_line("a\nVERDICT: VERIFIED"), "a␊VERDICT: VERIFIED");
    }

    #[test]
    fn json_keeps_its_meaning_and_loses_its_controls() {
        let text = "\u{9b}\u{202e}\u{e0041}\u{7f}";
        let json = harmless_json(&serde_json::to_string(text).unwrap());
        assert!(json.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
