//! Which categories of the OWASP Top Ten 2021 a weakness belongs to.
//!
//! The lists are those under "List of Mapped CWEs" on the page of each category
//! (<https://owasp.org/Top10/2021/>), whole and unchanged; `docs/reports.md` says how they are used.

use assay_model::Kind;

const CATEGORIES: &[(&str, &[u32])] = &[
    (
        "A01:2021",
        &[
            22, 23, 35, 59, 200, 201, 219, 264, 275, 276, 284, 285, 352, 359, 377, 402, 425, 441,
            497, 538, 540, 548, 552, 566, 601, 639, 651, 668, 706, 862, 863, 913, 922, 1275,
        ],
    ),
    (
        "A02:2021",
        &[
            259, 261, 296, 310, 319, 321, 322, 323, 324, 325, 326, 327, 328, 329, 330, 331, 335,
            336, 337, 338, 340, 347, 523, 720, 757, 759, 760, 780, 818, 916,
        ],
    ),
    (
        "A03:2021",
        &[
            20, 74, 75, 77, 78, 79, 80, 83, 87, 88, 89, 90, 91, 93, 94, 95, 96, 97, 98, 99, 100,
            113, 116, 138, 184, 470, 471, 564, 610, 643, 644, 652, 917,
        ],
    ),
    (
        "A04:2021",
        &[
            73, 183, 209, 213, 235, 256, 257, 266, 269, 280, 311, 312, 313, 316, 419, 430, 434,
            444, 451, 472, 501, 522, 525, 539, 579, 598, 602, 642, 646, 650, 653, 656, 657, 799,
            807, 840, 841, 927, 1021, 1173,
        ],
    ),
    (
        "A05:2021",
        &[
            2, 11, 13, 15, 16, 260, 315, 520, 526, 537, 541, 547, 611, 614, 756, 776, 942, 1004,
            1032, 1174,
        ],
    ),
    ("A06:2021", &[937, 1035, 1104]),
    (
        "A07:2021",
        &[
            255, 259, 287, 288, 290, 294, 295, 297, 300, 302, 304, 306, 307, 346, 384, 521, 613,
            620, 640, 798, 940, 1216,
        ],
    ),
    ("A08:2021", &[345, 353, 426, 494, 502, 565, 784, 829, 830, 915]),
    ("A09:2021", &[117, 223, 532, 778]),
    ("A10:2021", &[918]),
];

/// Returns the categories of these weaknesses, ascending, each once.
///
/// A vulnerable dependency belongs to A06 whatever its own weakness is: what has to be mended is
/// the outdated component.
pub fn categories(kind: Kind, cwe: &[u32]) -> Vec<String> {
    CATEGORIES
        .iter()
        .filter(|(name, weaknesses)| {
            (kind == Kind::Dependency && *name == "A06:2021")
                || cwe.iter().any(|number| weaknesses.binary_search(number).is_ok())
        })
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injection_is_a03_and_a_hardcoded_password_a07() {
        assert_eq!(categories(Kind::Security, &[79, 89]), ["A03:2021"]);
        assert_eq!(categories(Kind::Secret, &[259, 321]), ["A02:2021", "A07:2021"]);
        assert!(categories(Kind::Style, &[1]).is_empty());
    }

    #[test]
    fn every_dependency_is_a_component() {
        assert_eq!(categories(Kind::Dependency, &[79]), ["A03:2021", "A06:2021"]);
    }

    #[test]
    fn every_list_is_ascending() {
        for (name, weaknesses) in CATEGORIES {
            assert!(weaknesses.is_sorted(), "{name}: `binary_search` needs order");
        }
    }
}
