//! Ledger, admission, choice of replica and scheduling, seen from outside: each against a naive
//! twin, and each in a world that a seed fixes.

mod admission_model; // the door against a twin that only searches
mod admission_world; // the door before crowds of callers
mod balance_model; // the balancer against a twin that only scans
mod balance_world; // the balancer by what a fleet sees
mod ledger_cases; // the seed's list: what a caller of single flight counts on
mod ledger_model; // the ledger against a twin that only scans
mod ledger_world; // the ledger among clients and runs that misbehave
mod schedule_model; // the scheduler against a twin, and with wrong estimates
mod seeds; // many seeds, the failing one named
