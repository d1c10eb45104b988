//! Numbers and lengths of time as people write them.

use assay_model::{ToolRun, ToolStatus};

/// Writes `12345` as `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes `1 finding`, `2 findings`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Writes `40 ms`, `1.3 s`, `2 min 05 s`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// Writes KiB as MiB, which is what memory of tools is thought of in.
pub(super) fn mebibytes(kib: u64) -> String {
    format!("{} MiB", grouped(kib.div_ceil(1024)))
}

/// Returns the look of a tool's part: how its mark and its bar are painted.
pub(super) const fn look(run: &ToolRun) -> &'static str {
    match run.status {
        ToolStatus::Ok => "ok",
        ToolStatus::Unavailable | ToolStatus::Cancelled if run.required => "off",
        ToolStatus::NoInputs | ToolStatus::Unavailable | ToolStatus::Cancelled => "idle",
        ToolStatus::Failed
        | ToolStatus::TimedOut
        | ToolStatus::OutputInvalid
        | ToolStatus::Untrusted => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_well_at_every_size() {
        let said: Vec<_> = [40, 1_340, 125_000, 3_720_000].map(duration).into();
        assert_eq!(said, ["40 ms", "1.3 s", "2 min 05 s", "1 h 02 min"]);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
