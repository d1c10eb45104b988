//! Tools that say the same of every app.
//!
//! Owns the sameness alarm. A tool that never looked at the apps is found out by nothing else: its
//! zeros look like clean apps, its constant like a finding. Measured in an older system: safety
//! reported 9.0 findings for every model, and detect-secrets, stylelint and html-validator nothing
//! in 230 of 230 apps.
//!
//! Keeps: only tools that did their work are judged; apps with equal files count as one; the order
//! of the apps changes nothing.
//!
//! Does not: change what an analysis is worth. An alarm is a question to the reader.

use assay_model::{Digest, Fingerprint, Report, Sameness, SamenessAlarm, ToolId, ToolStatus};
use std::collections::{BTreeMap, BTreeSet};

/// Different apps from which on equal counts are told. Fewer agree by chance: where a tool finds
/// about one thing in an app, two apps agree in about one case of three (Poisson: e⁻¹ ≈ 0.37), and
/// five in one of fifty.
pub const SAME_COUNT_APPS_MIN: usize = 5;

/// Different apps from which on nothing is told as strange where others found something.
pub const ZERO_APPS_MIN: usize = 20;

/// Different apps from which on nothing is told as strange although nobody could contradict.
/// Weaker evidence needs more of it: many rules are broken in one app of thirty only.
pub const ZERO_ALONE_APPS_MIN: usize = 100;

/// What the tools said of one app, as far as it tells whether they looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub digest: Digest,
    /// Tools that did their work on files of this app.
    pub tools: BTreeMap<ToolId, Said>,
    /// Which tools saw each defect class, suppressed findings included.
    pub seen: BTreeMap<String, BTreeSet<ToolId>>,
}

/// What one tool said of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Findings as the tool counts them, before merging.
    pub count: u64,
    /// The findings that it saw, each with its occurrence.
    pub findings: BTreeSet<(Fingerprint, u32)>,
}

/// What a tool is known to find: the defect of its self-test. A tool without a claim cannot be
/// blamed for finding nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub tool: ToolId,
    /// Its class, or `tool:rule` where it has none.
    pub defect: String,
    /// Whether another tool of the batch looks for that class too.
    pub others_look: bool,
}

/// One tool's words on all apps, equal apps being one.
struct Words<'a> {
    tool: &'a ToolId,
    apps: BTreeMap<&'a Digest, Vec<&'a Said>>,
}

/// Returns the tools that say the same of every app, by name.
pub fn alarms(samples: &[Sample], claims: &[Claim]) -> Vec<SamenessAlarm> {
    let mut tools: BTreeMap<&ToolId, Words<'_>> = BTreeMap::new();
    for sample in samples {
        for (tool, said) in &sample.tools {
            let words = tools.entry(tool).or_insert(Words { tool, apps: BTreeMap::new() });
            words.apps.entry(&sample.digest).or_default().push(said);
        }
    }
    let judged = tools.values().filter_map(|words| {
        let claim = claims.iter().find(|claim| claim.tool == *words.tool);
        let sameness = words.sameness(samples, claim)?;
        let apps = words.apps.len() as u64;
        Some(SamenessAlarm { tool: words.tool.clone(), apps, sameness })
    });
    judged.collect()
}

// === impl Sample ===

impl Sample {
    /// Takes from a report what tells whether its tools looked at the app.
    pub fn of(report: &Report) -> Self {
        let did = report.tools.iter().filter(|run| run.status == ToolStatus::Ok);
        let said = |count| Said { count, findings: BTreeSet::new() };
        let mut tools: BTreeMap<ToolId, Said> =
            did.map(|run| (run.tool.clone(), said(run.observations))).collect();
        let mut seen: BTreeMap<String, BTreeSet<ToolId>> = BTreeMap::new();
        for finding in &report.findings {
            for sighting in &finding.sightings {
                seen.entry(finding.defect.clone()).or_default().insert(sighting.tool.clone());
                if let Some(said) = tools.get_mut(&sighting.tool) {
                    said.findings.insert((finding.fingerprint.clone(), finding.occurrence));
                }
            }
        }
        Self { digest: report.source.digest.clone(), tools, seen }
    }
}

// === impl Words ===

impl Words<'_> {
    fn sameness(&self, samples: &[Sample], claim: Option<&Claim>) -> Option<Sameness> {
        let mut all = self.apps.values().flatten();
        let first = all.next()?;
        if !all.all(|said| said.count == first.count) {
            return None;
        }
        match first.count {
            0 => self.zero(samples, claim?),
            count if self.apps.len() >= SAME_COUNT_APPS_MIN => {
                let all = || self.apps.values().flatten();
                // Without findings (all dropped by the user's rules) nothing is known to be the same.
                let same_findings =
                    !first.findings.is_empty() && all().all(|said| said.findings == first.findings);
                Some(Sameness::SameCount { count, same_findings })
            }
            _ => None,
        }
    }

    fn zero(&self, samples: &[Sample], claim: &Claim) -> Option<Sameness> {
        if self.apps.len() < ZERO_APPS_MIN {
            return None;
        }
        let (mut seen_in, mut seen_by) = (BTreeSet::new(), BTreeSet::new());
        for sample in samples.iter().filter(|sample| self.apps.contains_key(&sample.digest)) {
            let tools = sample.seen.get(&claim.defect).into_iter().flatten();
            for tool in tools.filter(|tool| *tool != self.tool) {
                seen_in.insert(&sample.digest);
                seen_by.insert(tool.clone());
            }
        }
        if !seen_in.is_empty() {
            return Some(Sameness::ZeroAgainstOthers {
                defect: claim.defect.clone(),
                seen_in: seen_in.len() as u64,
                seen_by: seen_by.into_iter().collect(),
            });
        }
        let is_strange = !claim.others_look && self.apps.len() >= ZERO_ALONE_APPS_MIN;
        is_strange.then_some(Sameness::ZeroAlone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(name: &str) -> ToolId {
        ToolId::new(name).unwrap()
    }

    fn digest(number: usize) -> Digest {
        Digest::new(&format!("{number:064x}")).unwrap()
    }

    fn findings(app: usize, count: u64) -> BTreeSet<(Fingerprint, u32)> {
        (0..count).map(|n| (Fingerprint::new(&format!("{app:016x}{n:016x}")).unwrap(), 0)).collect()
    }

    /// An app of which these tools said these counts; findings differ from app to app.
    fn app(number: usize, said: &[(&str, u64)]) -> Sample {
        let tools = said.iter().map(|(tool, count)| {
            (id(tool), Said { count: *count, findings: findings(number, *count) })
        });
        Sample { digest: digest(number), tools: tools.collect(), seen: BTreeMap::new() }
    }

    fn with_seen(mut sample: Sample, defect: &str, by: &str) -> Sample {
        sample.seen.entry(defect.to_owned()).or_default().insert(id(by));
        sample
    }

    fn claim(tool: &str, defect: &str, others_look: bool) -> Claim {
        Claim { tool: id(tool), defect: defect.to_owned(), others_look }
    }

    #[track_caller]
    fn check(samples: &[Sample], claims: &[Claim], expected: &[&str]) {
        let told: Vec<String> = alarms(samples, claims)
            .iter()
            .map(|alarm| format!("{}: {}", alarm.tool, alarm.said()))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_the_older_system_measured_is_told() {
        let zeros = [("detect-secrets", 0), ("html-validate", 0), ("stylelint", 0)];
        let scaffold = findings(999, 9);
        let samples: Vec<Sample> = (0..230)
            .map(|number| {
                let mut sample = app(number, &zeros);
                let safety = Said { count: 9, findings: scaffold.clone() };
                sample.tools.insert(id("safety-db"), safety);
                sample
                    .tools
                    .insert(id("bandit"), Said { count: number as u64 % 7, ..Said::default() });
                let sample = with_seen(sample, "image-without-alternative", "eslint");
                if number % 10 == 0 { with_seen(sample, "aws-key", "semgrep") } else { sample }
            })
            .collect();
        let claims = [
            claim("detect-secrets", "aws-key", true),
            claim("html-validate", "image-without-alternative", true),
            claim("stylelint", "unknown-css-property", false),
            claim("safety-db", "vulnerable-dependency", true),
            claim("bandit", "command-injection", true),
        ];
        check(
            &samples,
            &claims,
            &[
                "detect-secrets: 0 findings in all of 230 different apps, although semgrep found \
                 `aws-key` in 23 of them, which it finds in its self-test",
                "html-validate: 0 findings in all of 230 different apps, although eslint found \
                 `image-without-alternative` in 230 of them, which it finds in its self-test",
                "safety-db: exactly 9 findings in each of 230 different apps, and the same ones each \
                 time",
                "stylelint: 0 findings in all of 230 different apps, and no other tool looks for \
                 what it finds in its self-test",
            ],
        );
    }

    #[test]
    fn one_app_that_differs_ends_the_sameness() {
        let mut samples: Vec<Sample> = (0..60).map(|number| app(number, &[("a", 4)])).collect();
        check(
            &samples,
            &[],
            &[
                "a: exactly 4 findings in each of 60 different apps; the findings differ, only their \
               number is the same",
            ],
        );
        samples.push(app(60, &[("a", 5)]));
        check(&samples, &[], &[]);
        samples.pop();
        samples.push(app(60, &[("a", 0)]));
        check(&samples, &[], &[]);
    }

    #[test]
    fn few_apps_agree_by_chance() {
        let samples: Vec<Sample> = (0..4).map(|number| app(number, &[("a", 4)])).collect();
        check(&samples, &[], &[]);
        let zeros = |count| -> Vec<Sample> {
            (0..count).map(|n| with_seen(app(n, &[("a", 0)]), "x", "b")).collect()
        };
        check(&zeros(19), &[claim("a", "x", true)], &[]);
        assert_eq!(alarms(&zeros(20), &[claim("a", "x", true)]).len(), 1);
    }

    #[test]
    fn a_zero_is_believed_where_others_look_and_find_nothing_either() {
        let samples: Vec<Sample> = (0..300).map(|number| app(number, &[("a", 0)])).collect();
        check(&samples, &[claim("a", "x", true)], &[]);
        // Nor can a tool be blamed of which nothing is known.
        check(&samples, &[], &[]);
        assert_eq!(alarms(&samples, &[claim("a", "x", false)]).len(), 1);
        check(&samples[..99], &[claim("a", "x", false)], &[]);
    }

    #[test]
    fn its_own_word_is_no_witness() {
        let samples: Vec<Sample> =
            (0..30).map(|number| with_seen(app(number, &[("a", 0)]), "x", "a")).collect();
        check(&samples, &[claim("a", "x", true)], &[]);
    }

    #[test]
    fn apps_on_which_it_did_not_do_its_work_do_not_count() {
        let mut samples: Vec<Sample> = (0..4).map(|number| app(number, &[("a", 4)])).collect();
        samples.extend((4..50).map(|number| app(number, &[])));
        check(&samples, &[], &[]);
        // A witness on an app that the tool could not read contradicts nothing.
        let mut zeros: Vec<Sample> = (0..30).map(|number| app(number, &[("a", 0)])).collect();
        zeros.push(with_seen(app(30, &[]), "x", "b"));
        check(&zeros, &[claim("a", "x", true)], &[]);
    }

    fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
        let one = (0usize..40, prop::collection::btree_map("[ab]", 0u64..3, 0..3), any::<bool>());
        prop::collection::vec(one, 0..60).prop_map(|apps| {
            let sample = |(number, said, seen): (usize, BTreeMap<String, u64>, bool)| {
                let said: Vec<(&str, u64)> = said.iter().map(|(t, n)| (t.as_str(), *n)).collect();
                let sample = app(number, &said);
                if seen { with_seen(sample, "x", "c") } else { sample }
            };
            apps.into_iter().map(sample).collect()
        })
    }

    proptest! {
        #[test]
        fn the_order_of_the_apps_changes_nothing(samples in any_samples(), turn in 0usize..60) {
            let claims = [claim("a", "x", true), claim("b", "x", false)];
            let expected = alarms(&samples, &claims);
            let mut turned = samples.clone();
            turned.reverse();
            turned.rotate_left(turn.min(samples.len()));
            prop_assert_eq!(alarms(&turned, &claims), expected);
        }

        #[test]
        fn an_app_that_comes_again_changes_nothing(samples in any_samples()) {
            let claims = [claim("a", "x", true), claim("b", "x", false)];
            let twice: Vec<Sample> = samples.iter().chain(&samples).cloned().collect();
            prop_assert_eq!(alarms(&twice, &claims), alarms(&samples, &claims));
        }

        #[test]
        fn an_alarm_has_enough_apps_and_no_exception(
            apps in 0usize..40, count in 0u64..3, odd in prop::option::of((0usize..40, 0u64..3)),
        ) {
            let counted = |number| match odd {
                Some((which, other)) if which == number => other,
                _ => count,
            };
            let samples: Vec<Sample> =
                (0..apps).map(|n| with_seen(app(n, &[("a", counted(n))]), "x", "c")).collect();
            let told = alarms(&samples, &[claim("a", "x", true)]);
            let counts: BTreeSet<u64> = (0..apps).map(counted).collect();
            let least = if counts.contains(&0) { ZERO_APPS_MIN } else { SAME_COUNT_APPS_MIN };
            prop_assert_eq!(told.len(), usize::from(counts.len() == 1 && apps >= least));
            if apps < 3 {
                prop_assert!(told.is_empty());
            }
        }
    }
}
