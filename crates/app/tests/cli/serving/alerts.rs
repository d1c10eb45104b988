//! The alert rules: sound, and about what a server really tells.

use super::{analysis, served::Served, with_an_app};
use crate::{fake::Fake, world::skipped};
use regex::Regex;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus")
}

#[test]
fn the_rules_are_sound_and_each_comes_where_it_has_to() {
    for words in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let Ok(output) = Command::new("promtool").args(words).current_dir(folder()).output() else {
            return skipped("promtool");
        };
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn every_alert_has_a_test_and_a_section_for_who_hears_it() {
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let (rules, tests) =
        (read(folder().join("alerts.yml")), read(folder().join("alerts_test.yml")));
    let manual = read(folder().join("../../docs/operating/alerts.md"));
    let alerts = Regex::new(r"- alert: (\w+)").unwrap();
    let names: Vec<&str> =
        alerts.captures_iter(&rules).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("alertname: {name}\n")), "no test has `{name}` come");
        assert!(manual.contains(&format!("`{name}`")), "alerts.md does not know `{name}`");
    }
}

#[test]
fn a_server_tells_every_metric_that_an_alert_is_about() {
    let rules = std::fs::read_to_string(folder().join("alerts.yml")).unwrap();
    let metric = Regex::new(r"\bassay_[a-z_]+\b").unwrap();
    let named: BTreeSet<&str> = metric.find_iter(&rules).map(|found| found.as_str()).collect();
    assert!(named.len() >= 5, "{named:?}");
    let world = with_an_app(Fake::finding("high"));
    let served = Served::gateway(&world, &[]);
    let mut peer = served.peer();
    peer.send(&analysis("1").to_string());
    peer.until("analysis_result");
    let (status, told) = served.page("/metrics", "");
    assert_eq!(status, 200);
    for name in named {
        let has_value =
            |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        assert!(told.lines().any(has_value), "`{name}` is not told:\n{told}");
    }
    for place in ["book", "results"] {
        let free = format!("assay_disk_free_bytes{{place=\"{place}\"}} ");
        let line = told.lines().find(|line| line.starts_with(&free)).unwrap();
        assert!(line[free.len()..].parse::<u64>().unwrap() > 0, "{line}");
    }
}
