//! Error, cause, hint.

use crate::{Style, sanitise, style::Role};
use std::error::Error;

/// Causes that are told; a chain that loops back into itself must not fill the screen.
const CAUSES_MAX: usize = 8;

/// Writes an error with its causes and, apart from them, what to do.
pub fn error(error: &dyn Error, hint: Option<&str>, style: &Style) -> String {
    let mut text = labelled("error", Role::Bad, &error.to_string(), *style);
    let mut said = error.to_string();
    let mut cause = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(current) = cause else { break };
        let message = current.to_string();
        // Some libraries repeat their source in their own message; twice tells nothing new.
        if !said.contains(&message) {
            text.push_str(&labelled("caused by", Role::Caution, &message, *style));
            said = message;
        }
        cause = current.source();
    }
    if let Some(hint) = hint {
        text.push_str(&labelled("hint", Role::Good, hint, *style));
    }
    text
}

/// Writes `label: message`; further lines of the message are indented below it.
fn labelled(label: &str, role: Role, message: &str, style: Style) -> String {
    let mut text = style.paint(role, &format!("{label}:"));
    for (index, line) in message.lines().enumerate() {
        // Further lines stand below the first.
        let indent = if index == 0 { 1 } else { label.len() + 2 };
        text.push_str(&" ".repeat(indent));
        text.push_str(&sanitise(line));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read `{path}`")]
    struct Outer {
        path: &'static str,
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("line 3: unknown key `profil`\nknown: profile, tools")]
    struct Inner;

    #[test]
    fn an_error_names_its_cause_and_the_mend() {
        let failure = Outer { path: "assay\u{1b}[2J.toml", source: Inner };
        insta::assert_snapshot!(
            error(&failure, Some("did you mean `profile`?"), &Style::default()), @r"
        error: could not read `assay\u{1b}[2J.toml`
        caused by: line 3: unknown key `profil`
                   known: profile, tools
        hint: did you mean `profile`?
        "
        );
    }

    #[test]
    fn colour_is_only_on_the_labels() {
        let style = Style { color: true, ..Style::default() };
        let text = error(&Inner, None, &style);
        assert!(text.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m line 3"), "{text:?}");
    }
}
