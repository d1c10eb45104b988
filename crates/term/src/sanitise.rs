//! Hostile text made harmless.
//!
//! Keeps: what comes out holds no control character and nothing that reorders or hides text, is
//! one line, and a text that was already harmless is returned as it is.

use assay_model::is_unsafe;
use std::{borrow::Cow, fmt::Write as _};

/// Makes a text safe to print: colour sequences go, line ends and tabs become spaces, and whatever
/// else could move the cursor, reorder or hide text is shown as `\u{1b}`.
///
/// A tool's message can hold an app's own bytes, so an app could otherwise repaint our verdict.
pub fn sanitise(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = after_colour(rest) {
            rest = after;
            continue;
        }
        match first {
            '\n' | '\r' | '\t' => safe.push(' '),
            bad if is_unsafe(bad) => {
                write!(safe, "\\u{{{:x}}}", u32::from(bad)).expect("a string takes all we write");
            }
            good => safe.push(good),
        }
        rest = &rest[first.len_utf8()..];
    }
    Cow::Owned(safe)
}

/// Returns what follows a colour sequence (`ESC [ 1 ; 31 m`). Only these are dropped in silence:
/// tools colour their complaints, and a colour carries no words.
fn after_colour(text: &str) -> Option<&str> {
    let body = text.strip_prefix("\u{1b}[")?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    body[end..].strip_prefix('m')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(sanitise(text), expected);
    }

    #[test]
    fn what_could_steer_a_terminal_is_shown_instead() {
        check("plain é 漢字 🦀", "plain é 漢字 🦀");
        check("\u{1b}[1;31merror\u{1b}[0m: bad", "error: bad");
        check("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}");
        check("\u{1b}[2J\u{1b}[H", "\\u{1b}[2J\\u{1b}[H");
        check("\u{9b}31m", "\\u{9b}31m");
        check("user\u{202e}nimda", "user\\u{202e}nimda");
        check("a\u{200b}b", "a\\u{200b}b");
        check("two\nlines\r\n\tand a tab", "two lines   and a tab");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_nothing_safe_is_touched(
            text in "(\\PC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}\u{2066}-\u{2069}]|\u{1b}\\[[0-9;]{0,3}m){0,60}"
        ) {
            let safe = sanitise(&text).into_owned();
            prop_assert!(!safe.chars().any(is_unsafe), "{safe:?}");
            prop_assert_eq!(sanitise(&safe), safe.as_str());
            let kept: String = text.chars().filter(|c| c.is_alphabetic() && !is_unsafe(*c) && *c != 'm').collect();
            let found: String = safe.chars().filter(|c| c.is_alphabetic()).collect();
            let mut found = found.chars();
            prop_assert!(kept.chars().all(|c| found.any(|f| f == c)), "a letter was lost");
        }
    }
}
