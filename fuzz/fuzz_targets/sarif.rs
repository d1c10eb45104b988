//! Any bytes as a SARIF log: no panic, and the same observations whatever the chunks.
#![no_main]

use assay_fuzz::{own, read};
use assay_tools::Tool;
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

static TOOL: LazyLock<Arc<Tool>> = LazyLock::new(|| own("output = { format = \"sarif\" }"));

fuzz_target!(|output: &[u8]| {
    let small = read(&TOOL, output, 7);
    assert_eq!(small, read(&TOOL, output, 64 << 10));
});
