//! Writes a sample page, to be looked at in a browser:
//! `cargo run -p assay-report --example html_sample -- FILE [FINDINGS]`.

#[path = "../tests/html/sample.rs"]
mod sample;

use std::{env, fs::File, io, io::BufWriter};

fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "report.html".to_owned());
    let count = args.next().and_then(|count| count.parse().ok()).unwrap_or(62);
    let mut report = sample::report(count);
    if args.next().as_deref() == Some("clean") {
        report.outcome = assay_model::AnalysisOutcome::Complete;
        report.findings.clear();
        report.counts = assay_model::Counts::default();
        report.tools.retain(|run| run.status.did_its_work() || !run.required);
    }
    let mut out = BufWriter::new(File::create(path)?);
    assay_report::html::write(&report, &sample::Files::default(), &mut out)
}
