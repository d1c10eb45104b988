//! `package.json`: members of the outermost object.

use super::{Section, blank};
use serde_json::Value;
use std::ops::Range;

/// One member of the outermost object.
struct Member {
    key: String,
    /// From the first quote of the key to the end of the value.
    span: Range<usize>,
    /// The comma behind it.
    comma: Option<usize>,
}

/// Returns the text without the members; `None` where it is no JSON.
pub(super) fn without(text: &str, sections: &[Section]) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let Value::Object(expected) = &mut value else { return Some(text.to_owned()) };
    let is_out = |key: &str| sections.iter().any(|section| section.is(key));
    let members = members(text)?;
    let mut rest = text.as_bytes().to_vec();
    for member in members.iter().filter(|member| is_out(&member.key)) {
        blank(&mut rest, member.span.clone());
        if let Some(comma) = member.comma {
            blank(&mut rest, comma..comma + 1);
        }
    }
    // Nothing may follow the comma of the last one that stays.
    let last = members.iter().rev().find(|member| !is_out(&member.key));
    if let Some(comma) = last.and_then(|member| member.comma) {
        let goes_on = members.iter().any(|m| m.span.start > comma && !is_out(&m.key));
        if !goes_on {
            blank(&mut rest, comma..comma + 1);
        }
    }
    expected.retain(|key, _| !is_out(key));
    let rest = String::from_utf8(rest).ok()?;
    (serde_json::from_str::<Value>(&rest).ok()? == value).then_some(rest)
}

/// Takes apart an object that is known to be JSON.
fn members(text: &str) -> Option<Vec<Member>> {
    let bytes = text.as_bytes();
    let mut members = Vec::new();
    let mut at = skip_space(bytes, skip_space(bytes, 0) + 1);
    while *bytes.get(at)? == b'"' {
        let key = at..end_of_string(bytes, at)?;
        let colon = skip_space(bytes, key.end);
        let end = end_of_value(bytes, skip_space(bytes, colon + 1))?;
        let next = skip_space(bytes, end);
        let comma = (*bytes.get(next)? == b',').then_some(next);
        let name = serde_json::from_str(&text[key.clone()]).ok()?;
        members.push(Member { key: name, span: key.start..end, comma });
        at = skip_space(bytes, next + 1);
        if comma.is_none() {
            break;
        }
    }
    Some(members)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn end_of_value(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = end_of_string(bytes, at)?;
                if depth == 0 {
                    return Some(at);
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            byte if depth == 0 && byte.is_ascii_whitespace() => return Some(at),
            _ => {}
        }
        at += 1;
    }
}
