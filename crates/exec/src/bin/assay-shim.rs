//! The shim alone, for tests and benches of crates that are not the binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    assay_exec::shim_main()
}
