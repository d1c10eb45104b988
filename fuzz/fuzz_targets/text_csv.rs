//! Any bytes as the text or CSV of any shipped tool that writes one, chosen by the first byte.
#![no_main]

use assay_fuzz::{SHIPPED, read};
use assay_model::Format;
use assay_tools::Tool;
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

static TOOLS: LazyLock<Vec<Arc<Tool>>> = LazyLock::new(|| {
    let is_text =
        |tool: &&Arc<Tool>| matches!(tool.declaration().output.format, Format::Text | Format::Csv);
    SHIPPED.iter().filter(is_text).cloned().collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((which, output)) = input.split_first() else { return };
    let tool = &TOOLS[usize::from(*which) % TOOLS.len()];
    let small = read(tool, output, 7);
    assert_eq!(small, read(tool, output, 64 << 10));
});
