//! Columns, wrapping, cutting. Widths are those of a terminal's cells, not of bytes.

use crate::style::{Sign, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) fn width_of(text: &str) -> usize {
    text.width()
}

/// Cuts a text to a width, the last cells a sign that something was cut.
pub(crate) fn cut(text: &str, width: usize, style: Style) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let sign = style.sign(Sign::Cut);
    let room = width.saturating_sub(sign.width());
    format!("{}{sign}", &text[..fitting(text, room)])
}

/// Cuts the beginning of a text to a width: of `a-long-model/app12` the number tells more.
pub(crate) fn cut_start(text: &str, width: usize, style: Style) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let sign = style.sign(Sign::Cut);
    let room = width.saturating_sub(sign.width());
    let start = text.char_indices().map(|(at, _)| at).find(|at| text[*at..].width() <= room);
    format!("{sign}{}", &text[start.unwrap_or(text.len())..])
}

/// Fills up to a width with spaces, in front.
pub(crate) fn pad_start(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// Fills up to a width with spaces.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Breaks a text into lines of at most `width` cells, at spaces where there are any.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word;
        if !line.is_empty() && line.width() + 1 + word.width() <= width {
            line.push(' ');
        } else if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while line.width() + word.width() > width {
            // At least one character a line, else a wide one in a narrow column never ends.
            let first = word.chars().next().map_or(0, char::len_utf8);
            let (head, tail) = word.split_at(fitting(word, width).max(first));
            lines.push(head.to_owned());
            word = tail;
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Returns how many bytes of a text fit into a width.
fn fitting(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (index, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return index;
        }
    }
    text.len()
}

/// Writes `12345` as `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes `1 finding`, `2 findings`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Writes a length of time as a person would say it: `0.4s`, `12.3s`, `2m05s`, `1h02m`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time_are_said_as_people_say_them() {
        let said: Vec<_> = [0, 950, 12_340, 60_000, 125_000, 3_720_000].map(duration).into();
        assert_eq!(said, ["0.0s", "0.9s", "12.3s", "1m00s", "2m05s", "1h02m"]);
    }

    #[test]
    fn numbers_are_grouped() {
        let said: Vec<_> = [0, 999, 1000, 1_234_567].map(grouped).into();
        assert_eq!(said, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_sentence_is_cut_at_its_end() {
        let style = Style { unicode: true, ..Style::default() };
        assert_eq!(cut("a long sentence", 7, style), "a long…");
        assert_eq!(cut("漢字漢字", 5, style), "漢字…");
        assert_eq!(cut_start("a-long-model/app12", 8, style), "…l/app12");
        assert_eq!(cut_start("漢字漢字", 5, style), "…漢字");
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_letter_and_the_width(text in "[a-z 漢é]{0,80}", width in 8usize..40) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| line.width() <= width));
            let squeezed: String = text.split_whitespace().collect();
            prop_assert_eq!(lines.concat().replace(' ', ""), squeezed);
        }

        #[test]
        fn a_cut_text_fits(text in "\\PC{0,60}", width in 4usize..40) {
            let style = Style::default();
            prop_assert!(width_of(&cut(&text, width, style)) <= width.max(3) || text.width() <= width);
        }
    }
}
