//! Licence expressions: `MIT OR (Apache-2.0 AND ISC)`, `Apache-2.0 WITH LLVM-exception`, and `/`, which
//! was once how `OR` was written. `AND` binds closer than `OR`.

/// Whether the expression can be met with what is allowed; `None` where it is no expression.
pub(super) fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let met = either(&mut words, allowed)?;
    words.is_empty().then_some(met)
}

fn either(words: &mut Vec<&str>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = both(words, allowed)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        met |= both(words, allowed)?;
    }
    Some(met)
}

fn both(words: &mut Vec<&str>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = one(words, allowed)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        met &= one(words, allowed)?;
    }
    Some(met)
}

fn one(words: &mut Vec<&str>, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    match words.pop()? {
        "(" => {
            let met = either(words, allowed)?;
            (words.pop()? == ")").then_some(met)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        id => {
            if words.pop_if(|word| *word == "WITH").is_none() {
                return Some(allowed(id));
            }
            // What an exception allows is not what the bare licence allows: it is a name of its own.
            Some(allowed(&format!("{id} WITH {}", words.pop()?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: Option<bool>) {
        let allowed = |id: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&id);
        assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn one_side_of_or_and_both_of_and() {
        check("MIT", Some(true));
        check("GPL-3.0", Some(false));
        check("GPL-3.0 OR MIT", Some(true));
        check("GPL-3.0/MIT", Some(true));
        check("GPL-3.0 AND MIT", Some(false));
        check("ISC AND (GPL-3.0 OR MIT)", Some(true));
        check("MIT AND GPL-3.0 OR ISC", Some(true));
        check("(MIT OR ISC) AND GPL-3.0", Some(false));
    }

    #[test]
    fn an_exception_is_part_of_the_name() {
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("Apache-2.0", Some(false));
        check("MIT WITH LLVM-exception", Some(false));
    }

    #[test]
    fn what_is_no_expression_is_never_met() {
        for broken in ["", "OR MIT", "MIT ISC", "(MIT", "MIT)", "MIT OR", "MIT WITH"] {
            check(broken, None);
        }
    }
}
