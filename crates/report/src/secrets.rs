//! Masks credentials before anything is shown, hashed or written.
//!
//! Owns what is hidden on a line that holds a secret. Errs on the side of hiding: a report is
//! mailed around, and a hash of a short password can be guessed.
//!
//! Keeps: a line known to hold a secret comes back with something masked, whatever it looks like.

use crate::text::cut;
use assay_model::{Kind, Observation, Region};
use std::ops::Range;

/// What stands in place of a secret, whatever its length.
pub(crate) const MASK: &str = "***";

/// Shorter runs of letters and digits are words, not keys.
const TOKEN_MIN: usize = 16;

/// Weaknesses that are about a credential in the source.
const HARDCODED: &[u32] = &[259, 321, 798];

/// A masked line and what was taken out of it.
pub(crate) struct Masked {
    pub(crate) line: String,
    pub(crate) values: Vec<String>,
}

/// Returns whether the observation says that its line holds a credential.
pub(crate) fn is_about_a_secret(observation: &Observation) -> bool {
    // `COPY .env` is about a secret that is somewhere else: there is nothing to hide on its line.
    (observation.kind == Kind::Secret && observation.defect != "secret-in-image")
        || observation.defect.starts_with("hardcoded-")
        || observation.cwe.iter().any(|number| HARDCODED.contains(number))
}

/// Masks a line that is known to hold a secret: quoted text, what is assigned, credentials in a
/// URL, long tokens, and where a tool says exactly where, that.
pub(crate) fn mask(line: &str, region: Option<Region>) -> Masked {
    let mut spans = quoted(line);
    if spans.is_empty() {
        spans.extend(assigned(line));
    }
    spans.extend(user_info(line));
    spans.extend(tokens(line));
    spans.extend(region.and_then(|region| columns(line, region)));
    if spans.is_empty() {
        let start = line.len() - line.trim_start().len();
        spans.push(start..line.trim_end().len().max(start));
    }
    replace(line, spans)
}

/// Masks what looks like a key on a line of which nothing is known; on a line that speaks of
/// passwords, quoted text too.
pub(crate) fn mask_suspects(line: &str) -> String {
    let mut spans = tokens(line);
    spans.extend(user_info(line));
    if line.contains(['"', '\'', '`']) && speaks_of_secrets(line) {
        spans.extend(quoted(line));
    }
    if spans.is_empty() { line.to_owned() } else { replace(line, spans).line }
}

fn speaks_of_secrets(line: &str) -> bool {
    const WORDS: &[&str] = &["passw", "pwd", "secret", "token", "api_key", "apikey", "credential"];
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

/// Takes the values out of a text that quotes the line, such as a tool's message.
pub(crate) fn scrub(text: &str, values: &[String]) -> String {
    let mut text = text.to_owned();
    for value in values {
        if value.chars().count() >= 4 {
            text = text.replace(value.as_str(), MASK);
        } else {
            // `ab` stands in many words: only where it is quoted is it the secret.
            for quote in ['\'', '"', '`'] {
                text = text
                    .replace(&format!("{quote}{value}{quote}"), &format!("{quote}{MASK}{quote}"));
            }
        }
        // Some tools cut the value short and add dots.
        let head = cut(value, 8);
        if let Some(head) = head.strip_suffix('…') {
            text = text.replace(head, MASK);
        }
    }
    // The literal may go on over lines of which `values` knows nothing.
    let spans = quoted(&text).into_iter().filter(|span| {
        let inside = &text[span.clone()];
        inside.contains(['\n', '\\']) || inside.len() >= TOKEN_MIN && !inside.contains(' ')
    });
    let spans: Vec<Range<usize>> = spans.collect();
    if spans.is_empty() { text } else { replace(&text, spans).line }
}

fn replace(line: &str, mut spans: Vec<Range<usize>>) -> Masked {
    spans.sort_by_key(|span| (span.start, span.end));
    let mut masked = Masked { line: String::with_capacity(line.len()), values: Vec::new() };
    let mut at = 0;
    for span in spans {
        if span.end <= at || span.is_empty() {
            continue;
        }
        if span.start >= at {
            masked.line.push_str(&line[at..span.start]);
            masked.line.push_str(MASK);
        }
        masked.values.push(line[span.start..span.end].to_owned());
        at = span.end;
    }
    masked.line.push_str(&line[at..]);
    // A longer value first: its part would leave the rest of it behind.
    masked.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    masked
}

/// The insides of quotes, but for keys: `{"password": …}`, `config["password"]`.
fn quoted(line: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let quote = bytes[at];
        if !matches!(quote, b'"' | b'\'' | b'`') {
            at += 1;
            continue;
        }
        let start = at + 1;
        let mut end = start;
        while end < bytes.len() && bytes[end] != quote {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        // An open end is masked too: the literal goes on in the next line.
        let end = end.min(bytes.len());
        if start < end && !is_key(line, start, end) {
            spans.push(start..end);
        }
        at = end + 1;
    }
    spans
}

fn is_key(line: &str, start: usize, end: usize) -> bool {
    let inside = &line[start..end];
    let before = line[..start - 1].trim_end().chars().next_back();
    let after = line.get(end + 1..).unwrap_or("").trim_start();
    inside.len() <= 40
        && inside.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.'))
        && before.is_none_or(|c| matches!(c, '{' | ',' | '[' | '('))
        && (after.starts_with([':', ']']) || after.starts_with("=>"))
}

/// Everything after the first `=` or `:`, for `.env`, YAML and headers.
fn assigned(line: &str) -> Option<Range<usize>> {
    let at = line.find(['=', ':'])? + 1;
    let rest = line[at..].trim_start_matches([' ', '=', '>', '\t']);
    let start = line.len() - rest.len();
    let end = start + rest.trim_end().len();
    (start < end).then_some(start..end)
}

/// `user:password` in `scheme://user:password@host`.
fn user_info(line: &str) -> Option<Range<usize>> {
    let start = line.find("://")? + 3;
    let end = start + line[start..].find(['/', ' ', '"', '\'']).unwrap_or(line.len() - start);
    let at = line[start..end].rfind('@')?;
    Some(start..start + at)
}

/// Long runs of what keys are made of, with both letters and digits in them.
fn tokens(line: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-') {
            start.get_or_insert(at);
        } else if let Some(start) = start.take() {
            let text = &line[start..at];
            if text.len() >= TOKEN_MIN && is_token(text) {
                spans.push(start..at);
            }
        }
    }
    spans
}

/// Names have few digits, or are words joined by `_`; keys have many, or are capitals alone.
fn is_token(text: &str) -> bool {
    let count = |is: fn(&u8) -> bool| text.bytes().filter(is).count();
    let digits = count(u8::is_ascii_digit);
    let capitals_alone = count(u8::is_ascii_lowercase) == 0 && !text.contains(['_', '-', '/']);
    count(u8::is_ascii_alphabetic) >= 2 && (digits >= 3 || (digits >= 1 && capitals_alone))
}

/// The bytes of a region that lies on one line and says where it ends.
fn columns(line: &str, region: Region) -> Option<Range<usize>> {
    if region.end_line.is_some_and(|end| end != region.line) {
        return None;
    }
    let offset = |column: u32| {
        let skipped = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
        line.char_indices().nth(skipped).map_or(line.len(), |(at, _)| at)
    };
    let (start, end) = (offset(region.column?), offset(region.end_column?));
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_of_several_lines_is_masked_in_a_message_too() {
        let said = r"Possible hardcoded password: '\nZq5multi\nZq6line'";
        assert!(!scrub(said, &[]).contains("Zq5"), "{}", scrub(said, &[]));
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(mask(line, None).line, expected);
    }

    #[test]
    fn every_way_to_write_a_secret_is_masked() {
        check("PASSWORD = \"hunter2\"  # nosec", "PASSWORD = \"***\"  # nosec");
        check("PASSWORD=hunter2", "PASSWORD=***");
        check("  password: hunter2", "  password: ***");
        check("cfg = {\"password\": \"hunter2\"}", "cfg = {\"password\": \"***\"}");
        check("os.environ['KEY'] = 'a b'", "os.environ['KEY'] = '***'");
        check("db = connect(postgres://me:pw@host/x)", "db = ***");
        check("x = 'unfinished", "x = '***");
        check("AKIAIOSFODNN7EXAMPLE", "***");
        check("hunter2", "***");
        check("-----BEGIN RSA PRIVATE KEY-----", "***");
    }

    #[test]
    fn nothing_is_masked_by_half() {
        let region = Region { line: 1, column: Some(5), end_line: None, end_column: Some(9) };
        assert_eq!(mask("key abcd x", Some(region)).line, "key *** x");
        check("p = 'a\\'b'", "p = '***'");
        check("ключ = 'секрет'", "ключ = '***'");
    }

    #[test]
    fn a_message_that_quotes_the_secret_is_scrubbed() {
        let masked = mask("PASSWORD = 'hunter2'", None);
        assert_eq!(
            scrub("Possible hardcoded password: 'hunter2'", &masked.values),
            "Possible hardcoded password: '***'"
        );
        let short = mask("p = 'ab'", None);
        assert_eq!(scrub("about 'ab'", &short.values), "about '***'");
    }

    #[test]
    fn a_line_of_which_nothing_is_known_loses_only_keys() {
        assert_eq!(mask_suspects("x = load(AKIAIOSFODNN7EXAMPLE, 1)"), "x = load(***, 1)");
        assert_eq!(
            mask_suspects("def a_function_2_with_a_name():"),
            "def a_function_2_with_a_name():"
        );
        assert_eq!(mask_suspects("log('hello', x)"), "log('hello', x)");
        assert_eq!(mask_suspects("login(password='hunter2')"), "login(password='***')");
    }
}
