//! Which advisory on which package a dependency finding is about.
//!
//! Owns the reading of ids and package names out of what tools say. Databases name one advisory
//! differently (PYSEC, GHSA, CVE): where a rule or link names several, the best known one counts.
//! Aliases that no tool mentions are not known here; the catalogue prefers CVE as the rule's name.

use assay_model::Observation;

/// Best known first.
const SCHEMES: &[&str] = &["CVE-", "GHSA-", "PYSEC-", "RUSTSEC-", "SNYK-"];

/// The advisory's id in upper case, or the rule's name where no id is seen.
///
/// A message may name other advisories too ("an incomplete fix of CVE-…"), so it is asked last and
/// only believed if it names one.
pub(crate) fn advisory(observation: &Observation) -> String {
    let named =
        [observation.rule.as_str(), &observation.defect, observation.help.as_deref().unwrap_or("")];
    let best = |text: &str| {
        SCHEMES.iter().find_map(|scheme| {
            words(text).filter(|word| has_scheme(word, scheme)).map(str::to_uppercase).min()
        })
    };
    named
        .into_iter()
        .find_map(best)
        .or_else(|| only(&observation.message))
        .unwrap_or_else(|| observation.rule.as_str().to_owned())
}

/// The one advisory that a text names.
fn only(text: &str) -> Option<String> {
    let is_id = |word: &&str| SCHEMES.iter().any(|scheme| has_scheme(word, scheme));
    let mut ids = words(text).filter(is_id).map(str::to_uppercase);
    let first = ids.next()?;
    ids.all(|id| id == first).then_some(first)
}

/// The package's name, from the line of the manifest or from the message; empty where neither
/// shows one.
pub(crate) fn package(observation: &Observation, line: Option<&str>) -> String {
    line.and_then(requirement)
        .or_else(|| pinned(&observation.message))
        .map(|name| name.to_lowercase().replace(['_', '.'], "-"))
        .unwrap_or_default()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
}

fn has_scheme(word: &str, scheme: &str) -> bool {
    word.len() > scheme.len()
        && word.is_char_boundary(scheme.len())
        && word[..scheme.len()].eq_ignore_ascii_case(scheme)
        && word[scheme.len()..].bytes().any(|byte| byte.is_ascii_digit())
}

/// `Flask==0.12 ; python_version < "3"`, `"lodash": "4.17.0",`, `flask = "^1"`.
fn requirement(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches(['"', '\'', '-', ' ']);
    // In a package-lock, the key is the folder that the package is installed in.
    let line = line.rsplit_once("node_modules/").map_or(line, |(_, name)| name);
    let end = line.find(|c: char| !is_package(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(['"', '\'']).trim_start();
    let named = rest.is_empty()
        || rest.starts_with(['=', '<', '>', '~', '!', ':', '[', ';', '@', '^', ',']);
    (named && name.chars().any(char::is_alphabetic)).then_some(name)
}

/// `flask 0.12: …` at the start of a message; `flask==0.12`, `lodash@4.17.0` or a name in quotes
/// anywhere in it.
fn pinned(message: &str) -> Option<&str> {
    let mut words = message.split_whitespace();
    if let (Some(name), Some(version)) = (words.next(), words.next())
        && version.starts_with(|c: char| {
            c.is_ascii_digit() || matches!(c, '<' | '>' | '=' | '~' | '^' | '*')
        })
        && name.chars().all(is_package)
    {
        return Some(name);
    }
    let pinned = message.split_whitespace().find_map(|word| {
        let word = word.trim_matches(|c: char| !is_package(c));
        let (name, version) = word.split_once("==").or_else(|| {
            // The first `@` of `@types/node@1.0` belongs to the name.
            let at = word.char_indices().skip(1).find(|(_, c)| *c == '@')?.0;
            Some((&word[..at], &word[at + 1..]))
        })?;
        version.starts_with(|c: char| c.is_ascii_digit()).then_some(name)
    });
    pinned.or_else(|| {
        let quoted = message.split(['`', '"', '\'']).nth(1)?;
        (!quoted.is_empty() && quoted.chars().all(is_package)).then_some(quoted)
    })
}

fn is_package(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_from_every_kind_of_manifest() {
        for (line, expected) in [
            ("Flask==0.12", Some("Flask")),
            ("  \"lodash\": \"^4.17.0\",", Some("lodash")),
            ("\"node_modules/@babel/core\": {", Some("@babel/core")),
            ("requests[security]>=2", Some("requests")),
            ("- pyyaml", Some("pyyaml")),
            ("the quick fox", None),
            ("{", None),
        ] {
            assert_eq!(requirement(line), expected, "{line}");
        }
    }

    #[test]
    fn a_package_is_read_from_a_message() {
        assert_eq!(pinned("flask 0.12: PYSEC-2018-66"), Some("flask"));
        assert_eq!(pinned("lodash <4.17.21: Prototype Pollution"), Some("lodash"));
        assert_eq!(pinned("jinja2==2.10 has a hole"), Some("jinja2"));
        assert_eq!(pinned("found @types/node@1.2.3 (high)"), Some("@types/node"));
        assert_eq!(pinned("`minimist` is old"), Some("minimist"));
        assert_eq!(pinned("mail me@example.org"), None);
    }

    #[test]
    fn a_message_with_two_ids_names_none() {
        assert_eq!(only("see GHSA-1-a, ghsa-1-a"), Some("GHSA-1-A".to_owned()));
        assert_eq!(only("CVE-2020-2: incomplete fix of CVE-2020-1"), None);
    }

    #[test]
    fn an_id_is_known_by_its_scheme() {
        assert!(has_scheme("cve-2020-1", "CVE-"));
        assert!(!has_scheme("CVE-", "CVE-"));
        assert!(!has_scheme("cvé-1", "CVE-"));
    }
}
