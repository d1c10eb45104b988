//! Which tools are run, and which comments silence what they find.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod common;

use assay_model::{Kind, Profile, SourcePath, SourceText};
use assay_tools::{Catalogue, Optional, SECURITY_KINDS, Selected, Selection, select};
use common::{own, sound};
use std::sync::Arc;

fn shipped() -> Catalogue {
    Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"))
}

fn selection(profile: Profile) -> Selection {
    Selection { profile, kinds: Vec::new(), named: Vec::new(), optional: Optional::MayLack }
}

fn ids(selected: &[Selected]) -> Vec<&str> {
    selected.iter().map(|selected| selected.tool.id().as_str()).collect()
}

#[test]
fn each_profile_holds_the_ones_before_it() {
    let catalogue = shipped();
    let of = |profile| select(&catalogue, &selection(profile)).unwrap();
    let (quick, standard, thorough) =
        (of(Profile::Quick), of(Profile::Standard), of(Profile::Thorough));
    let (quick, standard, thorough) = (ids(&quick), ids(&standard), ids(&thorough));
    assert!(quick.contains(&"ruff") && !quick.contains(&"bandit"), "{quick:?}");
    assert!(standard.contains(&"bandit") && !standard.contains(&"pylint"), "{standard:?}");
    assert!(quick.iter().all(|tool| standard.contains(tool)));
    assert!(standard.iter().all(|tool| thorough.contains(tool)));
    assert!(quick.is_sorted());
}

#[test]
fn security_is_three_kinds_whether_a_tool_has_them_first_or_also() {
    let catalogue = shipped();
    let wanted = Selection { kinds: SECURITY_KINDS.to_vec(), ..selection(Profile::Standard) };
    let selected = select(&catalogue, &wanted).unwrap();
    let tools = ids(&selected);
    assert!(tools.contains(&"bandit") && tools.contains(&"detect-secrets"), "{tools:?}");
    assert!(!tools.contains(&"mypy") && !tools.contains(&"radon"), "{tools:?}");
    let security = |selected: &Selected| selected.tool.reports(Kind::Security);
    assert!(selected.iter().any(security));
}

#[test]
fn named_tools_are_required_and_run_once() {
    let catalogue = shipped();
    let named = ["flake8", "RUFF", "pylint"].map(str::to_owned).to_vec();
    let wanted = Selection { named, ..selection(Profile::Quick) };
    let selected = select(&catalogue, &wanted).unwrap();
    assert_eq!(ids(&selected), ["pylint", "ruff"]);
    assert!(selected.iter().all(|selected| selected.required));
    assert!(selected[1].note.as_ref().unwrap().contains("flake8"));

    let named = ["rufff", "nmap", "bandit"].map(str::to_owned).to_vec();
    let errors = select(&catalogue, &Selection { named, ..wanted }).unwrap_err();
    assert_eq!(errors.len(), 2, "every wrong name is told: {errors:?}");
}

#[test]
fn an_optional_tool_is_required_only_when_somebody_says_so() {
    let catalogue = shipped();
    let all = select(&catalogue, &selection(Profile::Thorough)).unwrap();
    for selected in &all {
        assert_eq!(selected.required, !selected.tool.is_optional(), "{}", selected.tool.id());
    }
    let strict = Selection { optional: Optional::Required, ..selection(Profile::Thorough) };
    assert!(select(&catalogue, &strict).unwrap().iter().all(|selected| selected.required));
}

struct One(&'static str);

impl SourceText for One {
    fn text(&self, path: &SourcePath) -> Option<Arc<str>> {
        (path.as_str() == "a.py").then(|| self.0.into())
    }
}

#[test]
fn a_comment_at_either_end_or_above_silences_a_finding() {
    let tool = own("suppressed-by = ['# nosec(?: (?P<rules>B\\d+))?', 'lint-disable-next-line']\n\
         output = { format = \"sarif\" }");
    let text = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[
        {"ruleId":"B1","message":{"text":"x"},"locations":[{"physicalLocation":{
        "artifactLocation":{"uri":"a.py"},"region":{"startLine":2,"endLine":3}}}]}]}]}"#;
    let (_, seen) = sound(&tool, text);
    for (source, expected) in [
        ("\nf(\n)  # nosec\n", Some("# nosec")),
        ("\nf(  # nosec B1\n)\n", Some("# nosec B1")),
        ("\nf(  # nosec B2\n)\n", None),
        ("# lint-disable-next-line\nf(\n)\n", Some("lint-disable-next-line")),
        ("# nosec\nf(\n)\n", None),
        ("\nf(  # lint-disable-next-line\n)\n", None),
        ("", None),
    ] {
        let found = tool.suppression_of(&seen[0], &One(source));
        assert_eq!(found.map(|s| s.reason).as_deref(), expected, "{source:?}");
    }
}
