//! The real binary, with fake tools: fast, and without the network. One program, since linking is dear.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of `#[test]` functions")]

mod batch; // many apps in one go
mod configuration; // where values come from
mod exits; // exit codes and thresholds
mod fake; // tools that do as told
mod faults; // every tool × everything that can go wrong
mod folders; // where results go, and what stays untouched
mod inputs; // what may be analysed
mod misbehaving; // tools that lie, break and attack
mod outputs; // which stream, which file, which folder
mod provisioning; // without Python, Node or the network
mod rules; // what the user decided about findings
mod selftests; // when tools show themselves, and how that is remembered
mod serving; // servers, and the commands that ask them
mod stopping; // deadlines and signals
mod stored; // results and tasks
mod trust; // a configuration inside of the app
mod words; // what a person reads
mod world; // an app, a working directory and a home for every test
