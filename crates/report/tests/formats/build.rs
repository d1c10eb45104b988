//! From observations to findings: merging, masking, ignore entries, order.

use crate::sample::{Files, SECRET, at, files, report, rules, seen, today, tool};
use assay_model::{Confidence, Kind, Observation, Region, Severity, Suppression, SuppressionKind};
use assay_report::{Built, IgnoreRule, InSource, Rules, SeverityRule, build};
use proptest::prelude::*;

fn built(observations: Vec<Observation>) -> Built {
    build(observations, &files(), &Rules::none(today()))
}

#[test]
fn tools_that_see_one_defect_make_one_finding() {
    let mut one = seen("bandit", "B608", "sql-injection", ("app.py", 4));
    one.cwe = vec![89];
    one.severity = Severity::Low;
    one.confidence = Some(Confidence::High);
    let mut two = seen("semgrep", "sql", "sql-injection", ("app.py", 4));
    two.cwe = vec![20];
    two.severity = Severity::High;
    let built = built(vec![two, one]);
    let [finding] = built.findings.as_slice() else { panic!("{:#?}", built.findings) };
    assert_eq!(finding.tool, tool("bandit"), "it tells more");
    assert_eq!((finding.severity, finding.cwe.as_slice()), (Severity::High, &[20, 89][..]));
    assert_eq!(finding.owasp, ["A03:2021"]);
    assert_eq!(finding.sightings.len(), 2);
}

#[test]
fn a_statement_over_two_lines_is_one_place() {
    // Line 5 ends with an open bracket, line 6 is its argument.
    let one = seen("bandit", "B608", "sql-injection", ("app.py", 5));
    let two = seen("semgrep", "sql", "sql-injection", ("app.py", 6));
    assert_eq!(built(vec![one, two]).findings.len(), 1);
    let one = seen("bandit", "B608", "sql-injection", ("app.py", 3));
    let two = seen("semgrep", "sql", "sql-injection", ("app.py", 4));
    assert_eq!(built(vec![one, two]).findings.len(), 2, "neighbours are not one");
}

#[test]
fn what_one_tool_tells_apart_stays_apart() {
    let one = seen("ruff", "S608", "sql-injection", ("app.py", 4));
    let two = seen("ruff", "S999", "sql-injection", ("app.py", 4));
    let other = seen("bandit", "B608", "sql-injection", ("app.py", 4));
    let findings = built(vec![one.clone(), two, other]).findings;
    assert_eq!(findings.len(), 2);
    assert_ne!(findings[0].occurrence, findings[1].occurrence);
    assert_eq!(built(vec![one.clone(), one]).findings.len(), 1, "but a repeat is a repeat");
}

#[test]
fn measures_of_one_function_are_one_finding() {
    let files = Files::of(&[(
        "a.py",
        "@route\ndef f(x):\n    if x:\n        pass\n\ndef g():\n    pass\n",
    )]);
    let measure = |tool: &str, rule: &str, line| {
        let mut it = seen(tool, rule, &format!("{tool}:{rule}"), ("a.py", line));
        it.kind = Kind::Complexity;
        it
    };
    let all = vec![
        measure("radon", "C", 2),
        measure("lizard", "ccn", 2),
        measure("complexipy", "complexity", 1),
        measure("ruff", "C901", 2),
        measure("radon", "C", 6),
        measure("pylint", "too-many-arguments", 2),
    ];
    let findings = build(all, &files, &Rules::none(today())).findings;
    let mut counts: Vec<usize> = findings.iter().map(|it| it.sightings.len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 4]);
}

#[test]
fn an_advisory_is_one_finding_wherever_it_was_read() {
    let advisory = |tool: &str, rule: &str, message: &str, line: Option<u32>| {
        let mut it = seen(tool, rule, "vulnerable-dependency", ("requirements.txt", 1));
        it.kind = Kind::Dependency;
        it.message = message.to_owned();
        it.location.as_mut().unwrap().region = Region::checked(line, None, None, None);
        it
    };
    let all = vec![
        advisory("pip-audit", "CVE-2018-1000656", "flask 0.12: PYSEC-2018-66", None),
        advisory("safety-db", "CVE-2018-1000656", "old", Some(1)),
        advisory("safety-db", "CVE-2019-1010083", "old", Some(1)),
    ];
    let findings = built(all).findings;
    assert_eq!(findings.len(), 2);
    let merged = findings.iter().find(|it| it.sightings.len() == 2).unwrap();
    assert_eq!(merged.location.as_ref().unwrap().shown(), "requirements.txt:1");
    assert_eq!(merged.owasp, ["A06:2021"]);
}

#[test]
fn what_is_about_a_secret_elsewhere_is_shown() {
    let files = Files::of(&[("Dockerfile", "FROM x\nCOPY .env /app\n")]);
    let mut one = seen("semgrep", "env", "secret-in-image", ("Dockerfile", 2));
    one.kind = Kind::Secret;
    let findings = build(vec![one], &files, &Rules::none(today())).findings;
    assert_eq!(findings[0].snippet.as_ref().unwrap().lines[1], "COPY .env /app");
}

#[test]
fn a_secret_is_masked_in_every_finding_that_shows_its_line() {
    let mut secret = seen("detect-secrets", "Keyword", "hardcoded-secret", ("app.py", 8));
    secret.kind = Kind::Secret;
    secret.message = format!("value {SECRET}");
    let mut other = seen("ruff", "E501", "ruff:E501", ("app.py", 8));
    other.message = format!("line too long: PASSWORD = '{SECRET}'");
    let near = seen("ruff", "W391", "ruff:W391", ("app.py", 7));
    let text = format!("{:?}", built(vec![secret, other, near]).findings);
    assert!(!text.contains(SECRET), "{text}");
    assert!(text.contains("PASSWORD = '***'"), "{text}");
}

#[test]
fn the_body_of_a_private_key_is_never_shown() {
    let text = "k = '''-----BEGIN RSA PRIVATE KEY-----\nMIIshortbody\nabcdef\n-----END RSA PRIVATE KEY-----'''\nx = 1\n";
    let files = Files::of(&[("k.py", text)]);
    let mut secret = seen("detect-secrets", "Private Key", "hardcoded-secret", ("k.py", 1));
    secret.kind = Kind::Secret;
    let near = seen("ruff", "X", "ruff:X", ("k.py", 5));
    let shown = format!("{:?}", build(vec![secret, near], &files, &Rules::none(today())).findings);
    assert!(!shown.contains("MIIshortbody") && !shown.contains("abcdef"), "{shown}");
    assert!(shown.contains("x = 1"), "{shown}");
}

#[test]
fn snippets_are_short_and_show_hidden_characters() {
    let long = format!("x = 1\n{}\n\u{1b}[31m\u{202e}\n", "ä".repeat(5000));
    let files = Files::of(&[("a.py", &long)]);
    let findings =
        build(vec![seen("ruff", "X", "ruff:X", ("a.py", 2))], &files, &Rules::none(today()))
            .findings;
    let snippet = findings[0].snippet.as_ref().unwrap();
    assert_eq!(snippet.first_line, 1);
    assert_eq!(snippet.lines[1].chars().count(), 201);
    assert_eq!(snippet.lines[2], "\\u{1b}[31m\\u{202e}");
}

#[test]
fn an_entry_suppresses_until_its_last_day() {
    let entry = |until| IgnoreRule::new("bandit:*", None, "known", Some(until)).unwrap();
    let of = |ignore| {
        let rules = Rules { ignores: vec![ignore], ..Rules::none(today()) };
        build(vec![seen("bandit", "B1", "x", ("app.py", 1))], &files(), &rules)
    };
    let on_the_day = of(entry(today()));
    assert_eq!(on_the_day.counts.suppressed, 1);
    let suppression = on_the_day.findings[0].suppression.as_ref().unwrap();
    assert_eq!(
        (suppression.kind, suppression.reason.as_str()),
        (SuppressionKind::Configuration, "known")
    );
    let after = of(entry(today().yesterday().unwrap()));
    assert_eq!((after.counts.suppressed, after.counts.total), (0, 1));
    assert!(after.ignores[0].expired);
    assert_eq!(after.ignores[0].matched, 1, "it would still be needed, and says so");
}

#[test]
fn comments_can_be_made_to_mean_nothing() {
    let mut one = seen("bandit", "B1", "x", ("app.py", 1));
    let reason = "# nosec".to_owned();
    one.suppression = Some(Suppression { kind: SuppressionKind::InSource, reason });
    let with = |in_source| {
        let rules = Rules { in_source, ..Rules::none(today()) };
        build(vec![one.clone()], &files(), &rules).counts
    };
    assert_eq!(with(InSource::Kept).suppressed, 1);
    assert_eq!(with(InSource::Dropped).total, 1);
}

#[test]
fn the_users_severity_wins_over_the_tools_number() {
    let mut one = seen("bandit", "B1", "x", ("app.py", 1));
    one.security_severity = Some(9.9);
    let severities = vec![
        SeverityRule::new("B1", Severity::Info).unwrap(),
        SeverityRule::new("*", Severity::Critical).unwrap(),
    ];
    let rules = Rules { severities, ..Rules::none(today()) };
    let finding = build(vec![one], &files(), &rules).findings.remove(0);
    assert_eq!((finding.severity, finding.security_severity), (Severity::Info, None));
    assert_eq!(finding.sightings[0].severity, Severity::Medium, "the tool's own word stays");
}

#[test]
fn the_worst_come_first() {
    let findings = report().findings;
    assert!(findings.is_sorted_by_key(|it| std::cmp::Reverse(it.severity)));
    assert_eq!(rules().severities.len(), 1);
}

#[test]
fn a_hundred_thousand_observations_of_one_line_are_not_squared() {
    let one = |index: u32| {
        let mut it = seen(
            if index.is_multiple_of(2) { "eslint" } else { "oxlint" },
            "r",
            "c",
            ("app.py", 1),
        );
        it.location.as_mut().unwrap().region =
            Region::checked(Some(1), Some(index / 2 + 1), None, None);
        it
    };
    let findings = built((0..100_000).map(one).collect()).findings;
    assert_eq!(findings.len(), 50_000);
}

prop_compose! {
    fn observation()(
        tool in prop::sample::select(vec!["bandit", "ruff", "semgrep", "pylint"]),
        rule in prop::sample::select(vec!["R1", "R2"]),
        defect in prop::sample::select(vec!["sql-injection", "xss", "ruff:R1"]),
        kind in prop::sample::select(vec![Kind::Security, Kind::Secret, Kind::Dependency, Kind::Complexity]),
        path in prop::sample::select(vec!["app.py", "requirements.txt", "none.py"]),
        line in 0_u32..10,
        column in prop::option::of(1_u32..4),
        length in prop::option::of(0_u32..4),
        severity in prop::sample::select(Severity::ALL),
        confidence in prop::option::of(Just(Confidence::Medium)),
        cwe in prop::collection::btree_set(prop::sample::select(vec![79_u32, 89, 22]), 0..3),
        placed in prop::bool::weighted(0.9),
    ) -> Observation {
        let mut it = seen(tool, rule, defect, (path, 1));
        it.kind = kind;
        it.severity = severity;
        it.confidence = confidence;
        it.cwe = cwe.into_iter().collect();
        let mut location = at(path, 1);
        location.region = Region::checked(Some(line), column, length.map(|more| line + more), None);
        it.location = placed.then_some(location);
        it
    }
}

proptest! {
    #[test]
    fn the_order_of_observations_changes_nothing(
        (one, other) in prop::collection::vec(observation(), 0..40)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        prop_assert_eq!(built(one), built(other));
    }

    #[test]
    fn every_observation_is_a_sighting(all in prop::collection::vec(observation(), 0..40)) {
        let findings = built(all.clone()).findings;
        for one in &all {
            let is_there = findings.iter().any(|finding| {
                finding.severity >= one.severity
                    && one.cwe.iter().all(|it| finding.cwe.contains(it))
                    && finding.location.as_ref().map(|it| &it.path) == one.location.as_ref().map(|it| &it.path)
                    && finding.sightings.iter().any(|it| it.tool == one.tool && it.rule == one.rule && it.severity == one.severity)
            });
            prop_assert!(is_there, "{:?}", one);
        }
        let sightings: usize = findings.iter().map(|it| it.sightings.len()).sum();
        prop_assert!(sightings <= all.len());
        prop_assert!(findings.iter().all(|it| it.tool == it.sightings[0].tool));
    }

    #[test]
    fn no_two_findings_have_one_identity(all in prop::collection::vec(observation(), 0..60)) {
        let findings = built(all).findings;
        let mut ids: Vec<_> = findings.iter().map(|it| (it.fingerprint.clone(), it.occurrence)).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), findings.len());
    }
}
