//! The machines from outside: examples, each against a naive model of it, and by seed.
//!
//! Every machine has a folder with `model.rs` (obvious and slow), `against_model.rs` (proptest makes
//! the steps and shrinks what fails) and `simulation.rs` (a seed makes the steps, thousands of them).

mod allocations; // none on the way of a call
mod breaker; // whether an endpoint may be called
mod concurrency; // how many calls at once a service can bear
mod planted; // the page of planted bugs
mod rate_limit; // whether a client may ask now
mod retry; // whether a call may be made again, and when
mod seeds; // simulations by seed, and replaying one
