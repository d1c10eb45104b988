//! Which language a file is in: by name, by ending, by its first line.

use assay_model::{Language, SourcePath};

/// Endings, lower case.
const ENDINGS: &[(&str, Language)] = &[
    ("py", Language::Python),
    ("pyi", Language::Python),
    ("pyw", Language::Python),
    ("js", Language::JavaScript),
    ("mjs", Language::JavaScript),
    ("cjs", Language::JavaScript),
    ("jsx", Language::JavaScript),
    ("ts", Language::TypeScript),
    ("mts", Language::TypeScript),
    ("cts", Language::TypeScript),
    ("tsx", Language::TypeScript),
    ("html", Language::Html),
    ("htm", Language::Html),
    ("xhtml", Language::Html),
    ("jinja", Language::Html),
    ("jinja2", Language::Html),
    ("j2", Language::Html),
    ("css", Language::Css),
    ("scss", Language::Css),
    ("less", Language::Css),
    ("sh", Language::Shell),
    ("bash", Language::Shell),
    ("ksh", Language::Shell),
    ("sql", Language::Sql),
    ("dockerfile", Language::Dockerfile),
    ("yaml", Language::Yaml),
    ("yml", Language::Yaml),
    ("json", Language::Json),
    ("toml", Language::Toml),
    ("md", Language::Markdown),
    ("tf", Language::Terraform),
    ("java", Language::Java),
    ("kt", Language::Kotlin),
    ("kts", Language::Kotlin),
    ("go", Language::Go),
    ("rs", Language::Rust),
    ("c", Language::C),
    ("h", Language::C),
    ("cc", Language::Cpp),
    ("cpp", Language::Cpp),
    ("cxx", Language::Cpp),
    ("hpp", Language::Cpp),
    ("cs", Language::CSharp),
    ("php", Language::Php),
    ("rb", Language::Ruby),
    ("swift", Language::Swift),
    ("scala", Language::Scala),
    ("lua", Language::Lua),
    ("vue", Language::Vue),
    ("svelte", Language::Svelte),
    ("xml", Language::Xml),
];

/// Programs named by a `#!` line.
const INTERPRETERS: &[(&str, Language)] = &[
    ("python", Language::Python),
    ("node", Language::JavaScript),
    ("bash", Language::Shell),
    ("dash", Language::Shell),
    ("ksh", Language::Shell),
    ("sh", Language::Shell),
    ("ruby", Language::Ruby),
    ("php", Language::Php),
    ("lua", Language::Lua),
];

/// Tells the language of a file by its name and the beginning of its content.
pub fn language_of(path: &SourcePath, head: &[u8]) -> Language {
    // The name comes first: one NUL byte in a comment must not hide a script from every tool.
    if let Some(language) = by_name(path) {
        return language;
    }
    if head.iter().take(8192).any(|byte| *byte == 0) {
        return Language::Binary;
    }
    by_first_line(head).unwrap_or(Language::Text)
}

fn by_name(path: &SourcePath) -> Option<Language> {
    let name = path.file_name().to_ascii_lowercase();
    let is_container_file = |stem: &str| {
        name == stem || name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))
    };
    if is_container_file("dockerfile") || is_container_file("containerfile") {
        return Some(Language::Dockerfile);
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending)?;
    let language = ENDINGS.iter().find(|(known, _)| *known == ending)?.1;
    let is_workflow = language == Language::Yaml
        && (path.as_str().starts_with(".github/workflows/")
            || path.as_str().contains("/.github/workflows/"));
    Some(if is_workflow { Language::GithubWorkflow } else { language })
}

fn by_first_line(head: &[u8]) -> Option<Language> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let mut program = words.next()?.rsplit('/').next()?;
    if program == "env" {
        // `env -S python3 -u` and `env FOO=1 node` name their program after options.
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.iter().find(|(known, _)| *known == name).map(|(_, language)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, head: &str, expected: Language) {
        let path = SourcePath::new(path).unwrap();
        assert_eq!(language_of(&path, head.as_bytes()), expected, "{path}");
    }

    #[test]
    fn a_file_is_known_by_its_name() {
        check("a/B.PY", "", Language::Python);
        check("Dockerfile", "", Language::Dockerfile);
        check("Dockerfile.dev", "", Language::Dockerfile);
        check("Dockerfiles.md", "", Language::Markdown);
        check(".github/workflows/ci.yml", "", Language::GithubWorkflow);
        check("sub/.github/workflows/ci.yml", "", Language::GithubWorkflow);
        check("ci.yml", "", Language::Yaml);
        check("README", "hello", Language::Text);
    }

    #[test]
    fn a_script_is_known_by_its_first_line() {
        check("run", "#!/bin/sh\n", Language::Shell);
        check("run", "#!/usr/bin/env -S python3.11 -u\n", Language::Python);
        check("run", "#!/usr/bin/env\n", Language::Text);
        check("run", "#!", Language::Text);
    }

    #[test]
    fn a_nul_byte_makes_it_binary_only_where_the_name_says_nothing() {
        check("a.py", "x\0y", Language::Python);
        check("a", "x\0y", Language::Binary);
        check("a", "#!/bin/sh\n\0", Language::Binary);
    }
}
