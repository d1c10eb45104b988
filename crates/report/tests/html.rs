//! The page: what it holds, what it asks of others (nothing), and what hostile text can do to it
//! (nothing).

#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test, down to its helpers")]

#[path = "html/sample.rs"]
mod sample;

use assay_model::{
    AnalysisOutcome, Counts, Kind, Location, Region, Report, SourcePath, Suppression,
    SuppressionKind,
};
use sample::{Files, HOSTILE, report};
use serde_json::Value;
use std::collections::BTreeSet;

const CSS: &str = include_str!("../templates/html/report.css");
const SCRIPTS: [&str; 2] =
    [include_str!("../templates/html/early.js"), include_str!("../templates/html/report.js")];

fn page(report: &Report) -> String {
    page_with(report, &Files::default())
}

fn page_with(report: &Report, files: &Files) -> String {
    let mut out = Vec::new();
    assay_report::html::write(report, files, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Returns the findings that the script reads.
fn data(page: &str) -> Vec<Value> {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

/// Returns the page without what we wrote as style and script: markup alone.
fn markup(page: &str) -> String {
    let mut page = page.replace(CSS, "");
    for script in SCRIPTS {
        page = page.replace(script, "");
    }
    page
}

/// Returns every tag of the page, as written between `<` and `>`.
fn tags(page: &str) -> Vec<String> {
    let page = markup(page);
    let mut tags = Vec::new();
    for piece in page.split('<').skip(1) {
        let mut quoted = false;
        let end = piece.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        tags.push(piece[..end.unwrap_or(piece.len())].to_owned());
    }
    tags
}

/// Returns the names of a tag's attributes.
fn attributes(tag: &str) -> Vec<&str> {
    let outside_quotes = tag.split('"').step_by(2);
    outside_quotes
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.split_once('=').map(|(name, _)| name))
        .collect()
}

#[test]
fn hostile_text_adds_no_element_and_no_handler() {
    let known = BTreeSet::from([
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "script",
        "body",
        "a",
        "svg",
        "defs",
        "pattern",
        "rect",
        "line",
        "text",
        "nav",
        "div",
        "span",
        "ul",
        "ol",
        "li",
        "button",
        "header",
        "h1",
        "h2",
        "h3",
        "h4",
        "dl",
        "dt",
        "dd",
        "main",
        "section",
        "p",
        "details",
        "summary",
        "strong",
        "code",
        "figure",
        "figcaption",
        "form",
        "fieldset",
        "legend",
        "label",
        "input",
        "select",
        "option",
        "pre",
        "mark",
        "noscript",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "footer",
    ]);
    let page = page(&report(62));
    for tag in tags(&page) {
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or("");
        assert!(known.contains(name), "<{tag}>");
        for attribute in attributes(&tag) {
            assert!(!attribute.starts_with("on"), "a handler in <{tag}>");
            assert_ne!(attribute, "style", "an inline style in <{tag}>");
        }
    }
    let scripts = tags(&page).iter().filter(|tag| tag.starts_with("script")).count();
    assert_eq!(scripts, 3, "ours early, the data, ours late");
}

#[test]
fn hostile_text_is_on_the_page_as_text() {
    let page = page(&report(0));
    assert!(page.contains("&lt;/script&gt;") || page.contains("&#60;/script&#62;"));
    let rows = data(&page);
    let shown = "</script><script>alert(1)</script> \"onmouseover=alert(2) <img src=x \
        onerror=alert(3)> \\u{1b}[31mred\\u{1b}[0m \\u{202e}desrever\\u{202c} {{ 7*7 }} \\u{2028}--> &lt;";
    assert_eq!(rows[0]["m"], shown);
    assert!(rows[0].get("h").is_none(), "a `javascript:` address is no link");
    assert_ne!(shown, HOSTILE);
}

#[test]
fn no_control_or_reordering_character_reaches_the_page() {
    let page = page(&report(62));
    let found: BTreeSet<_> = page
        .chars()
        .filter(|c| {
            (c.is_control() && !matches!(c, '\n' | '\t')) || ('\u{202a}'..='\u{202e}').contains(c)
        })
        .collect();
    assert_eq!(found, BTreeSet::new());
    assert!(!page.contains(['\u{2028}', '\u{2029}']));
}

#[test]
fn the_page_asks_nothing_of_any_other_host() {
    let page = page(&report(62));
    for tag in tags(&page) {
        for attribute in attributes(&tag) {
            let fetches = ["src", "srcset", "poster", "background", "action", "ping", "xlink:href"];
            assert!(!fetches.contains(&attribute), "<{tag}>");
            if attribute == "href" {
                let outside = tag.starts_with("a ") && tag.contains("rel=\"noopener noreferrer\"");
                assert!(outside || tag.contains("href=\"#"), "<{tag}>");
            }
        }
    }
    for banned in ["@import", "@font-face", "http:", "https:", "//"] {
        assert!(!CSS.contains(banned), "`{banned}` in the style");
    }
    assert_eq!(CSS.matches("url(").count(), CSS.matches("url(#").count());
}

#[test]
fn the_scripts_only_ever_set_text() {
    let ways_out = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "EventSource",
        "sendBeacon",
        "import(",
        "setAttribute",
        ".src",
    ];
    for script in SCRIPTS {
        for banned in ways_out {
            assert!(!script.contains(banned), "`{banned}`");
        }
        assert!(!script.contains("</"), "it would end its own element");
    }
}

#[test]
fn the_policy_names_exactly_what_is_on_the_page() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};
    let page = page(&report(3));
    let hash = |text: &str| format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)));
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1;
    let policy = policy.split_once('"').unwrap().0.replace("&#39;", "'");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let inside = |open: &str, close: &str| -> Vec<String> {
        page.split(open).skip(1).map(|rest| rest.split_once(close).unwrap().0.to_owned()).collect()
    };
    let blocks = [inside("<style>", "</style>"), inside("<script>", "</script>")].concat();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        assert!(policy.contains(&hash(&block)), "a block that the policy refuses");
    }
}

#[test]
fn an_incomplete_analysis_says_so_and_names_who_and_what_mends_it() {
    let page = page(&report(62));
    let banner = page.split_once("<div class=\"banner bad\"").unwrap().1;
    let banner = banner.split_once("<dl class=\"tiles\">").unwrap().0;
    for words in [
        "This analysis is incomplete",
        "4 required tools did not do their work",
        "checkov",
        "timed out",
        "complexipy",
        "failed",
        "stylelint",
        "unavailable",
        "apt-get install nodejs",
        "Not run and not required: 2",
    ] {
        assert!(banner.contains(words), "{words}");
    }
}

#[test]
fn what_every_tool_took_is_drawn_and_stands_in_a_table() {
    let page = page(&report(0));
    let (_, plot) = page.split_once("<figure class=\"card timeline\">").unwrap();
    let (plot, _) = plot.split_once("</figure>").unwrap();
    let (drawn, table) = plot.split_once("<details class=\"figures\">").unwrap();
    // More CPU than wall time fills the bar and no more; a table tells how much it was.
    let semgrep = drawn.split_once("semgrep: ok").unwrap().1;
    assert!(semgrep.starts_with(", 14 observations, from 150 ms for 9.8 s, computed 17.5 s, 327"));
    for (tool, figures) in [
        ("semgrep", ["17.1 s", "490 ms", "327 MiB", "37.3 MiB", "861 KiB", "code 1"]),
        (
            "checkov",
            ["4.5 s", "250 ms", "186 MiB", "19.0 MiB", "439 KiB", "timed out, gone in 14 ms"],
        ),
        ("pyright", ["1.9 s", "110 ms", "104 MiB", "8.3 MiB", "193 KiB", "out of memory"]),
        ("oxlint", ["63 ms", "3 ms", "–", "273 KiB", "6 KiB", "code 0"]),
    ] {
        let row = table.split_once(&format!("<th scope=\"row\">{tool}</th>")).unwrap().1;
        let row = row.split_once("</tr>").unwrap().0;
        for figure in figures {
            assert!(row.contains(&format!(">{figure}</td>")), "{tool}: no {figure} in {row}");
        }
    }
    assert!(!table.contains("stylelint"), "what never ran took nothing");
}

#[test]
fn no_outcome_but_complete_looks_good() {
    use AnalysisOutcome as O;
    let mut report = report(0);
    report.findings.clear();
    report.counts = Counts::default();
    for outcome in
        [O::Incomplete, O::NothingToAnalyse, O::TimedOut, O::Interrupted, O::Terminated, O::Lost]
    {
        report.outcome = outcome;
        assert!(page(&report).contains("class=\"banner bad\""), "{outcome}");
    }
    report.outcome = O::Complete;
    assert!(page(&report).contains("class=\"banner good\""));
}

#[test]
fn a_suppressed_finding_is_kept_apart() {
    let mut report = report(62);
    let page = page(&report);
    assert_eq!(data(&page).iter().filter(|row| row.get("x").is_some()).count(), 3);
    report.findings.truncate(1);
    report.findings[0].message = "only this one".to_owned();
    report.findings[0].sightings.clear();
    report.findings[0].suppression =
        Some(Suppression { kind: SuppressionKind::Baseline, reason: "known".to_owned() });
    report.counts = Counts::of(&report.findings);
    let page = self::page(&report);
    let list = page.split_once("<ol id=\"list\"").unwrap().1.split_once("</ol>").unwrap().0;
    assert!(!list.contains("only this one"), "it is not among the open ones");
    assert!(page.contains("suppressed (1)"));
}

#[test]
fn without_javascript_the_worst_findings_can_be_read() {
    let page = page(&report(62));
    let list = page.split_once("<ol id=\"list\"").unwrap().1.split_once("</ol>").unwrap().0;
    assert_eq!(list.matches("<li class=\"finding").count(), 25);
    assert!(list.contains("chip\">critical"));
    assert!(page.contains("shows the 25 worst of 60 open findings"));
}

#[test]
fn a_missing_snippet_is_read_from_the_source_without_its_secrets() {
    let mut report = report(1);
    report.findings.truncate(1);
    let path = SourcePath::new("conf.py").unwrap();
    let at = |line| {
        Some(Location {
            path: path.clone(),
            region: Region::checked(Some(line), Some(1), None, None),
        })
    };
    let mut secret = report.findings[0].clone();
    secret.kind = Kind::Secret;
    secret.snippet = None;
    secret.location = at(3);
    let mut other = secret.clone();
    other.kind = Kind::Style;
    other.location = at(2);
    report.findings = vec![secret, other];
    let text = "import os\nx = 1\npassphrase = open sesame\ny = 2\n";
    let page = page_with(&report, &Files([("conf.py".to_owned(), text.to_owned())].into()));
    assert!(!page.contains("open sesame"));
    let rows = data(&page);
    for row in &rows {
        assert_eq!(row["e"]["n"].as_array().unwrap().len(), 4, "{row}");
    }
}

#[test]
fn ten_thousand_findings_make_a_page_of_bearable_size() {
    let page = page(&report(10_000));
    assert_eq!(data(&page).len(), 10_001);
    assert!(page.len() < 12_000_000, "{} bytes", page.len());
    assert_eq!(
        page.matches("<li class=\"finding").count(),
        25,
        "the rest is made when it is looked at"
    );
}

/// Red, green and blue, from 0 to 1.
type Rgb = [f64; 3];

fn rgb(color: &str) -> Rgb {
    [1, 3, 5].map(|at| f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0)
}

/// Relative luminance, as the Web Content Accessibility Guidelines define it.
fn luminance(color: Rgb) -> f64 {
    let [red, green, blue] = color.map(|value| {
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Mixes two colours as `color-mix(in srgb, …)` does.
fn blend(over: Rgb, under: Rgb, share: f64) -> Rgb {
    [0, 1, 2].map(|channel| over[channel] * share + under[channel] * (1.0 - share))
}

/// Returns a colour of the page in light and in dark.
fn color(name: &str) -> [Rgb; 2] {
    let (_, rest) = CSS.split_once(&format!("  --{name}: light-dark(")).unwrap();
    let (pair, _) = rest.split_once(')').unwrap();
    let (light, dark) = pair.split_once(", ").unwrap();
    [light, dark].map(rgb)
}

#[test]
fn text_and_plots_have_enough_contrast_in_both_modes() {
    let text = ["ink", "muted", "accent", "critical", "high", "medium", "low", "info", "good"];
    let fills = ["critical-fill", "high-fill", "medium-fill", "low-fill", "info-fill", "accent"];
    for ground in ["ground", "surface", "sunk"] {
        for mode in [0, 1] {
            for name in text {
                let ratio = contrast(color(name)[mode], color(ground)[mode]);
                assert!(ratio >= 4.5, "{name} on {ground}, mode {mode}: {ratio:.2}");
            }
        }
    }
    for mode in [0, 1] {
        for name in ["critical", "high", "medium", "low", "info"] {
            // A chip is tinted with its own colour, which takes some of the contrast away.
            let tint = blend(color(name)[mode], color("surface")[mode], 0.11);
            let ratio = contrast(color(name)[mode], tint);
            assert!(ratio >= 4.5, "the chip {name}, mode {mode}: {ratio:.2}");
        }
        for name in fills {
            let ratio = contrast(color(name)[mode], color("surface")[mode]);
            assert!(ratio >= 3.0, "{name}, mode {mode}: {ratio:.2}");
        }
    }
}
