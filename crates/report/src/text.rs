//! Makes text from tools and apps harmless to look at.
//!
//! Owns what counts as a hidden character. Keeps: what is returned holds no control character
//! but line feed and tab, and nothing that reorders text.
//!
//! Does not: escape for a format (each format does that itself).

use std::borrow::Cow;

/// Returns the text with hidden characters spelt out as `\u{202e}`; lines and tabs stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    // A carriage return before a line feed is a line's end and nothing to spell out.
    let text: Cow<'_, str> =
        if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() };
    if !text.chars().any(|c| is_hidden(c) && !matches!(c, '\n' | '\t')) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len() + 16), spell).into()
}

/// Returns the text as one line: like [`shown`], with every line's end a space.
pub fn shown_line(text: &str) -> Cow<'_, str> {
    let text = shown(text);
    if text.contains(['\n', '\t']) {
        text.split(['\n', '\t'])
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
            .trim()
            .to_owned()
            .into()
    } else {
        text
    }
}

/// Returns at most `chars_max` characters, with `…` for the rest.
pub(crate) fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    // Bytes are at least as many as characters: most texts are decided without counting.
    if text.len() <= chars_max {
        return text.into();
    }
    match text.char_indices().nth(chars_max) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

fn spell(mut out: String, c: char) -> String {
    if is_hidden(c) && !matches!(c, '\n' | '\t') {
        out.extend(c.escape_unicode());
    } else {
        out.push(c);
    }
    out
}

/// Control characters steer a terminal; the others reorder or hide text ("trojan source").
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_is_spelt_out() {
        assert_eq!(shown("a\u{1b}[31mb\tc\nd"), "a\\u{1b}[31mb\tc\nd");
        assert_eq!(shown("if \u{202e}nimda"), "if \\u{202e}nimda");
        assert_eq!(shown("a\r\nb\rc"), "a\nb\\u{d}c");
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(shown_line(" a\r\n  b\u{85}c\n"), "a b\\u{85}c");
    }

    #[test]
    fn cutting_never_splits_a_character() {
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
