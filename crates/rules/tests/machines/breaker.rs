//! The breaker: examples for each promise, one fact a test.

mod against_model; // steps by proptest
mod examples; // opening, trials, modes
mod model; // obvious and slow
mod simulation; // steps by seed
mod windows; // rates, and windows that slide
