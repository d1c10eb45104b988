//! Numbers of the Common Weakness Enumeration in what tools write.

/// Returns the number in `CWE-79`, `external/cwe/cwe-079`, `CWE-79: Improper …`.
pub(crate) fn cwe_in(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let after = lower.find("cwe")? + 3;
    let mut rest = lower[after..].trim_start_matches(['-', '_', ':', ' ', '/']);
    // `external/cwe/cwe-079`: the first "cwe" is a folder.
    if let Some(inner) = rest.strip_prefix("cwe") {
        rest = inner.trim_start_matches(['-', '_', ':', ' ']);
    }
    leading_number(rest)
}

/// Returns the number where a field is known to hold one: `79` as well as `CWE-79`.
pub(crate) fn cwe_of_field(text: &str) -> Option<u32> {
    cwe_in(text).or_else(|| leading_number(text.trim()))
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    // The largest today is 1,431.
    text[..digits].parse().ok().filter(|number| (1..100_000).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_every_spelling() {
        for (text, expected) in [
            ("CWE-79", Some(79)),
            ("external/cwe/cwe-079", Some(79)),
            ("CWE-79: Improper Neutralization", Some(79)),
            ("cwe:502", Some(502)),
            ("https://cwe.mitre.org/data/definitions/78.html", None),
            ("security", None),
            ("CWE-0", None),
        ] {
            assert_eq!(cwe_in(text), expected, "{text}");
        }
        assert_eq!(cwe_of_field("79"), Some(79));
    }
}
