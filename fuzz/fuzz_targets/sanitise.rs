//! Any text, made safe to print: nothing in it moves the cursor, and doing it twice changes nothing.
#![no_main]

use assay_report::{shown, shown_line};
use assay_term::sanitise;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let safe = sanitise(text);
    assert!(!safe.chars().any(char::is_control), "{safe:?}");
    assert!(!safe.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}']), "{safe:?}");
    assert_eq!(sanitise(&safe), safe);
    let line = shown_line(text);
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert_eq!(shown_line(&line), line);
    let many = shown(text);
    assert!(!many.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{many:?}");
    assert_eq!(shown(&many), many);
});
