//! What is shipped to run Assay as a stack: that it says what the documents promise, and that the stack of
//! `compose.yaml` works, as real processes in network namespaces.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod container; // one process as a container would be: its own network, files, user and rights
mod facts; // what the files promise
mod files; // Dockerfile and compose.yaml, read
mod hub; // the networks between containers
mod stack; // all containers of compose.yaml
mod topology; // the stack at work
