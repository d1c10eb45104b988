//! Colour, links and signs, or their plain stand-ins.
//!
//! Owns the decision whether a stream gets them. Pure: the environment is an argument.

use anstyle::{AnsiColor, Effects};
use assay_model::{Severity, ToolStatus};
use std::str::FromStr;

/// What `--color` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// Whether the stream that is written to is a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    Yes,
    No,
}

/// How one stream is written. The default is plain: no colour, no links, ASCII signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    /// Places are OSC 8 links.
    pub links: bool,
    /// Signs beyond ASCII may be used.
    pub unicode: bool,
}

/// What a piece of text is, as far as its looks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Strong,
    Faint,
    Good,
    Bad,
    Caution,
    Place,
    Severity(Severity),
}

/// A sign in front of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Good,
    Bad,
    Nothing,
    Bar,
    Dot,
    Cut,
}

// === impl ColorChoice ===

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(format!("`{word}` is no choice of colour; known: auto, always, never")),
        }
    }
}

// === impl Style ===

impl Style {
    /// Decides for one stream. `var` looks up a variable of the environment.
    pub fn detect(
        choice: ColorChoice,
        terminal: Terminal,
        var: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        let capable = terminal == Terminal::Yes && !dumb;
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => capable && set("NO_COLOR").is_none(),
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name));
        let unicode = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self { color, links: capable && wants_links(set), unicode }
    }

    pub(crate) fn paint(self, role: Role, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let look = look(role);
        format!("{look}{text}{look:#}")
    }

    /// Makes a text a link to a file, where the terminal knows links.
    pub(crate) fn link(self, path: &str, text: &str) -> String {
        if !self.links || !path.starts_with('/') {
            return text.to_owned();
        }
        format!("\u{1b}]8;;file://{}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\", percent_encoded(path))
    }

    pub(crate) fn sign(self, sign: Sign) -> &'static str {
        match (sign, self.unicode) {
            (Sign::Good, true) => "✓",
            (Sign::Good, false) => "+",
            (Sign::Bad, true) => "✗",
            (Sign::Bad, false) => "x",
            (Sign::Nothing, true) => "–",
            (Sign::Bar, true) => "█",
            (Sign::Bar, false) => "#",
            (Sign::Dot, true) => "·",
            (Sign::Nothing | Sign::Dot, false) => "-",
            (Sign::Cut, true) => "…",
            (Sign::Cut, false) => "...",
        }
    }

    /// Returns the sign that tells a status at a glance, with its role.
    pub(crate) fn status_sign(self, status: ToolStatus) -> (&'static str, Role) {
        match status {
            ToolStatus::Ok => (self.sign(Sign::Good), Role::Good),
            ToolStatus::NoInputs => (self.sign(Sign::Nothing), Role::Faint),
            ToolStatus::Unavailable
            | ToolStatus::Failed
            | ToolStatus::TimedOut
            | ToolStatus::Cancelled
            | ToolStatus::OutputInvalid
            | ToolStatus::Untrusted => (self.sign(Sign::Bad), Role::Bad),
        }
    }
}

const fn look(role: Role) -> anstyle::Style {
    let plain = anstyle::Style::new();
    match role {
        Role::Strong => plain.effects(Effects::BOLD),
        Role::Faint | Role::Severity(Severity::Info) => plain.effects(Effects::DIMMED),
        Role::Good => AnsiColor::Green.on_default(),
        Role::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
        Role::Caution | Role::Severity(Severity::Medium) => AnsiColor::Yellow.on_default(),
        Role::Place => AnsiColor::Cyan.on_default(),
        Role::Severity(Severity::Critical) => {
            AnsiColor::Magenta.on_default().effects(Effects::BOLD)
        }
        Role::Severity(Severity::High) => AnsiColor::Red.on_default(),
        Role::Severity(Severity::Low) => AnsiColor::Blue.on_default(),
    }
}

/// Whether the terminal is one of those that turn OSC 8 into links; the others print rubbish.
fn wants_links(set: impl Fn(&str) -> Option<String>) -> bool {
    const PROGRAMS: &[&str] =
        &["iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio"];
    const TERMS: &[&str] = &["kitty", "alacritty", "foot", "ghostty", "wezterm"];
    if set("CI").is_some() {
        return false;
    }
    let program = set("TERM_PROGRAM").is_some_and(|name| PROGRAMS.contains(&name.as_str()));
    let term = set("TERM").is_some_and(|term| TERMS.iter().any(|known| term.contains(known)));
    let vte = set("VTE_VERSION").and_then(|version| version.parse::<u32>().ok());
    program
        || term
        || vte.is_some_and(|version| version >= 5000)
        || ["WT_SESSION", "KONSOLE_VERSION", "KITTY_WINDOW_ID"].iter().any(|n| set(n).is_some())
}

fn percent_encoded(path: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all we write");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(choice: ColorChoice, terminal: Terminal, vars: &[(&str, &str)], expected: &str) {
        let style = Style::detect(choice, terminal, |name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let mut words = Vec::new();
        for (on, word) in
            [(style.color, "color"), (style.links, "links"), (style.unicode, "unicode")]
        {
            if on {
                words.push(word);
            }
        }
        assert_eq!(words.join(" "), expected, "{choice:?} {terminal:?} {vars:?}");
    }

    #[test]
    fn colour_is_for_terminals_unless_told_otherwise() {
        let (auto, always, never) = (ColorChoice::Auto, ColorChoice::Always, ColorChoice::Never);
        check(auto, Terminal::Yes, &[], "color");
        check(auto, Terminal::No, &[], "");
        check(auto, Terminal::Yes, &[("NO_COLOR", "1")], "");
        check(auto, Terminal::Yes, &[("NO_COLOR", "")], "color");
        check(auto, Terminal::Yes, &[("TERM", "dumb")], "");
        check(always, Terminal::No, &[("NO_COLOR", "1")], "color");
        check(never, Terminal::Yes, &[], "");
    }

    #[test]
    fn links_are_for_terminals_that_know_them() {
        check(ColorChoice::Auto, Terminal::Yes, &[("TERM", "xterm-kitty")], "color links");
        check(ColorChoice::Never, Terminal::Yes, &[("VTE_VERSION", "6003")], "links");
        check(ColorChoice::Auto, Terminal::Yes, &[("VTE_VERSION", "4000")], "color");
        check(ColorChoice::Auto, Terminal::No, &[("TERM", "xterm-kitty")], "");
        check(ColorChoice::Auto, Terminal::Yes, &[("TERM", "foot"), ("CI", "true")], "color");
    }

    #[test]
    fn signs_beyond_ascii_need_a_utf8_locale() {
        check(ColorChoice::Never, Terminal::No, &[("LANG", "en_GB.UTF-8")], "unicode");
        check(ColorChoice::Never, Terminal::No, &[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], "");
        check(ColorChoice::Never, Terminal::No, &[("LC_CTYPE", "C.utf8")], "unicode");
    }

    #[test]
    fn a_link_cannot_be_broken_out_of() {
        let style = Style { links: true, ..Style::default() };
        let link = style.link("/a b\u{1b}\\/é", "x");
        assert_eq!(link, "\u{1b}]8;;file:///a%20b%1B%5C/%C3%A9\u{1b}\\x\u{1b}]8;;\u{1b}\\");
        assert_eq!(style.link("relative", "x"), "x");
    }
}
