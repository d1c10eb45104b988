//! How a tool runs: the only crate that starts processes.
