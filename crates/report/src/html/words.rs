//! Numbers and lengths of time as people write them.

use assay_model::{Limit, ToolEnd, ToolRun, ToolStatus};

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

/// Writes a number of bytes: `17 bytes`, `4 KiB`, `1.5 MiB`, `2.0 GiB`.
pub(super) fn bytes_in_words(bytes: u64) -> String {
    let tenths = |shift: u32| {
        let tenths = (u128::from(bytes) * 10) >> shift;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_024 => counted(bytes, "byte"),
        1_024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", tenths(20)),
        _ => format!("{} GiB", tenths(30)),
    }
}

/// Says in two or three words how its worst process ended, and how long it took to be gone.
pub(super) fn how_it_ended(run: &ToolRun) -> String {
    let how = match &run.end {
        None => return "–".to_owned(),
        Some(ToolEnd::Exited { code }) => format!("code {code}"),
        Some(ToolEnd::Signalled { signal }) => format!("signal {signal}"),
        Some(ToolEnd::TimedOut) => "timed out".to_owned(),
        Some(ToolEnd::Cancelled) => "cancelled".to_owned(),
        Some(ToolEnd::LimitReached { limit, .. }) => limit_words(*limit).to_owned(),
        Some(ToolEnd::NotStarted { .. }) => "never started".to_owned(),
        Some(ToolEnd::Lost { .. }) => "lost".to_owned(),
    };
    match run.cancel_ms {
        Some(ms) => format!("{how}, gone in {}", duration(ms)),
        None => how,
    }
}

const fn limit_words(limit: Limit) -> &'static str {
    match limit {
        Limit::Output => "too much output",
        Limit::FileSize => "too large a file",
        Limit::Disk => "too much on disk",
        Limit::Memory => "out of memory",
        Limit::Processes => "too many processes",
        Limit::Cpu => "too much CPU time",
    }
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
    fn bytes_and_ends_are_said_shortly() {
        let said = [1, 17, 4_096, 1_572_864, 2 << 30].map(bytes_in_words);
        assert_eq!(said, ["1 byte", "17 bytes", "4 KiB", "1.5 MiB", "2.0 GiB"]);
        let id = assay_model::ToolId::new("x").unwrap();
        let mut run = ToolRun::not_run(id, ToolStatus::Failed, true);
        assert_eq!(how_it_ended(&run), "–");
        run.end = Some(ToolEnd::LimitReached { limit: Limit::Memory, most: 1 });
        assert_eq!(how_it_ended(&run), "out of memory");
        (run.end, run.cancel_ms) = (Some(ToolEnd::TimedOut), Some(12));
        assert_eq!(how_it_ended(&run), "timed out, gone in 12 ms");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
