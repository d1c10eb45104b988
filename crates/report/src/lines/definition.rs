//! Whether a line opens a definition, and under which name.
//!
//! Owns the words that open one. Does not: know where a definition ends; indentation says that.

use super::fold;
use assay_model::SourcePath;

/// What opens a definition in a file, by the name of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A keyword or the head of a block.
    Code,
    /// Every line that others stand under: a key in YAML, JSON, TOML.
    Data,
    /// A selector.
    Css,
}

/// Words that may stand before the word that matters.
const MODIFIERS: &[&str] = &[
    "export",
    "default",
    "async",
    "public",
    "private",
    "protected",
    "internal",
    "static",
    "final",
    "abstract",
    "override",
    "pub",
    "unsafe",
    "extern",
    "const",
    "inline",
    "partial",
    "sealed",
    "open",
    "data",
    "suspend",
    "declare",
];

/// Words after which the name is one word.
const NAMED: &[&str] = &[
    "def",
    "class",
    "function",
    "function*",
    "fn",
    "func",
    "fun",
    "interface",
    "struct",
    "enum",
    "trait",
    "module",
    "mod",
    "namespace",
    "object",
    "protocol",
    "sub",
    "proc",
];

/// Words after which everything up to the brace is the name.
const TITLED: &[&str] = &["impl", "resource", "variable", "provider", "output", "describe", "type"];

/// Words that open a block and define nothing.
const CONTROL: &[&str] = &[
    "if",
    "else",
    "for",
    "while",
    "switch",
    "catch",
    "return",
    "do",
    "try",
    "with",
    "match",
    "when",
    "unless",
    "foreach",
    "using",
    "lock",
    "synchronized",
    "elif",
    "until",
    "case",
    "await",
    "throw",
    "finally",
    "loop",
    "select",
];

// === impl Style ===

impl Style {
    pub(super) fn of(path: &SourcePath) -> Self {
        match path.file_name().rsplit('.').next() {
            Some("yml" | "yaml" | "json" | "toml" | "ini" | "cfg" | "xml") => Self::Data,
            Some("css" | "scss" | "sass" | "less") => Self::Css,
            _ => Self::Code,
        }
    }
}

/// Returns the name of the definition that a trimmed line opens.
pub(super) fn definition(line: &str, style: Style) -> Option<String> {
    match style {
        Style::Data => Some(fold(line)),
        Style::Css => line.strip_suffix('{').map(fold),
        Style::Code => keyword(line).or_else(|| block(line)),
    }
}

/// `def f(`, `class A:`, `export async function g(`, `impl A for B {`, `resource "a" "b" {`.
fn keyword(line: &str) -> Option<String> {
    let mut rest = line;
    loop {
        let (word, after) = rest.split_once([' ', '\t'])?;
        let after = after.trim_start();
        if NAMED.contains(&word) {
            return name(after);
        }
        if TITLED.contains(&word.split('<').next().unwrap_or(word)) && line.ends_with('{') {
            return Some(fold(after.trim_end_matches('{')));
        }
        // `data "aws_ami" "x" {` is a definition of its own; `data class` is not.
        if word == "data" && after.starts_with('"') && line.ends_with('{') {
            return Some(fold(after.trim_end_matches('{')));
        }
        if !MODIFIERS.contains(&word.split('(').next().unwrap_or(word)) {
            return None;
        }
        rest = after;
    }
}

/// `name(a, b) {`, `const f = async () => {`, `app.get("/x", function (req) {`.
fn block(line: &str) -> Option<String> {
    let head = line.strip_suffix('{')?.trim_end();
    let first = head.split(|c: char| !is_name(c)).next().unwrap_or("");
    if CONTROL.contains(&first) || head.starts_with(['}', ')']) {
        return None;
    }
    let lambda = head.ends_with("=>") || head.contains("function");
    let bracket = head.find('(')?;
    let assigned = head.find('=').filter(|at| *at < bracket);
    match assigned {
        Some(at) if lambda => last_name(&head[..at]),
        Some(_) => None,
        None if lambda => {
            // The callback's own parameters are no part of its name.
            let end = head.find(',').unwrap_or(bracket);
            Some(fold(&head[..end])).filter(|name| !name.is_empty())
        }
        None => last_name(&head[..bracket]),
    }
}

fn name(text: &str) -> Option<String> {
    // A method of Go has its receiver in brackets first.
    let text = match text.strip_prefix('(') {
        Some(receiver) => receiver.split_once(')')?.1.trim_start(),
        None => text,
    };
    let name: String = text.chars().take_while(|c| is_name(*c)).collect();
    (!name.is_empty()).then_some(name)
}

fn last_name(text: &str) -> Option<String> {
    text.trim_end()
        .rsplit(|c: char| !is_name(c))
        .next()
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        assert_eq!(definition(line, Style::Code).as_deref(), expected, "{line}");
    }

    #[test]
    fn definitions_of_many_languages_are_seen() {
        check("def f(a, b):", Some("f"));
        check("async def g(", Some("g"));
        check("class Häuser(Base):", Some("Häuser"));
        check("export default async function run(x) {", Some("run"));
        check("pub(crate) fn x() {", Some("x"));
        check("func (s *Server) Stop() {", Some("Stop"));
        check("impl<T> Trait for Type {", Some("Trait for Type"));
        check("resource \"aws_s3_bucket\" \"logs\" {", Some("\"aws_s3_bucket\"\"logs\""));
        check("const load = async (a) => {", Some("load"));
        check("app.get('/x', (req, res) => {", Some("app.get('/x'"));
        check("public static void main(String[] args) {", Some("main"));
        check("backup() {", Some("backup"));
    }

    #[test]
    fn a_block_that_defines_nothing_has_no_name() {
        check("if (x) {", None);
        check("} else {", None);
        check("for (const x of y) {", None);
        check("return f(x);", None);
        check("x = {", None);
        check("default", None);
    }

    #[test]
    fn data_is_named_by_what_others_stand_under() {
        assert_eq!(definition("- name: web", Style::Data).as_deref(), Some("-name:web"));
        assert_eq!(definition("a:hover > b {", Style::Css).as_deref(), Some("a:hover>b"));
    }
}
