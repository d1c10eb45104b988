//! How fast 100 MB of SARIF are read, and with how much memory.
//!
//! `cargo bench -p assay-tools --bench sarif`. Aim: 200 MB/s and more, memory independent of size.
//! Memory is the process's high-water mark above what the document itself takes.

use assay_model::{SourcePath, ToolDeclaration};
use assay_tools::{Catalogue, Places, ReadContext, Settings};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::{fmt::Write as _, fs, hint::black_box, io::Cursor};

const BYTES: usize = 100_000_000;

const ROW: &str = r#"
title = "Own"
kind = "security"
inputs = { all-text = true }
install = { from = "path", mend = "apt install own" }
run = { program = "own", args = ["{project}"], finding-codes = [1] }
output = { format = "sarif" }
"#;

/// Makes a document as ruff and bandit write them: 200 rules, results of half a kilobyte.
fn document(bytes: usize) -> String {
    let mut text = String::from(
        r#"{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"tool":{"driver":{"name":"own","version":"1","rules":["#,
    );
    for rule in 0..200 {
        let comma = if rule > 0 { "," } else { "" };
        let _ = write!(
            text,
            r#"{comma}{{"id":"R{rule}","shortDescription":{{"text":"rule {rule}"}},"helpUri":"https://example.org/{rule}","properties":{{"tags":["external/cwe/cwe-{rule}"],"security-severity":"5.5"}}}}"#
        );
    }
    text.push_str("]}},\"results\":[");
    let mut result = 0;
    while text.len() < bytes {
        let comma = if result > 0 { "," } else { "" };
        let (rule, line) = (result % 200, result % 5_000 + 1);
        let _ = write!(
            text,
            r#"{comma}
        {{
          "level": "error",
          "locations": [
            {{
              "physicalLocation": {{
                "artifactLocation": {{ "uri": "file:///snap/app/package/module_{}/views.py" }},
                "region": {{ "endColumn": 27, "endLine": {line}, "startColumn": 5, "startLine": {line} }}
              }}
            }}
          ],
          "message": {{ "text": "Possible \"injection\" vector through string-based construction of number {result}" }},
          "partialFingerprints": {{ "primary": "aaaaaaaabbbbbbbbccccccccdddddddd" }},
          "ruleId": "R{rule}", "ruleIndex": {rule}
        }}"#,
            result % 700
        );
        result += 1;
    }
    text.push_str("]}]}");
    text
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// Milliseconds of CPU that this process has used: wall time says little on a machine that others
/// use as well.
fn cpu_ms() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // utime and stime, in hundredths of a second.
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

fn read_document(text: &[u8]) -> u64 {
    let says: ToolDeclaration = toml::from_str(ROW).expect("the row above is sound");
    let mut catalogue = Catalogue::default();
    catalogue.add("own", says).expect("the row above is sound");
    let tool = catalogue.get("own").expect("it was added");
    let places = Places {
        project: "/snap/app".into(),
        scratch: "/snap/scratch".into(),
        config: "/snap/config".into(),
        prefix: "/snap/prefix".into(),
        assay: "/bin/assay".into(),
    };
    let file = SourcePath::new("a.py").expect("a plain name");
    let call = tool.calls(&places, &[file], &Settings::default()).remove(0);
    let context =
        ReadContext { places: &places, call: &call, is_file: &|_| true, other_stream: "" };
    let reading = tool.read(&mut Cursor::new(text), &context, &mut |observation| {
        black_box(observation);
    });
    reading.expect("the document is sound").observations
}

fn sarif(criterion: &mut Criterion) {
    let text = document(BYTES);
    let before = peak_kib();
    let cpu = cpu_ms();
    let observations = read_document(text.as_bytes());
    let cpu = (cpu_ms() - cpu).max(10);
    let (megabytes, memory) = (text.len() / 1_000_000, peak_kib() - before);
    println!("{megabytes} MB, {observations} results, {memory} KiB above the document");
    println!("{cpu} ms of CPU: {} MB per second of CPU", text.len() as u64 / 1_000 / cpu);
    let mut group = criterion.benchmark_group("sarif");
    group.throughput(Throughput::BytesDecimal(text.len() as u64)).sample_size(10);
    group.bench_function("100 MB", |bencher| bencher.iter(|| read_document(text.as_bytes())));
    group.finish();
}

criterion_group!(benches, sarif);
criterion_main!(benches);
