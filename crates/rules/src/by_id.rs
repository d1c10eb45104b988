//! Maps whose keys we gave ourselves.
//!
//! The standard library's hash defends against keys that an enemy chooses so that they collide
//! (hash flooding), and is half of what a look-up costs. Nobody chooses a number that we count up,
//! so [FxHash](https://docs.rs/rustc-hash), one multiplication, is enough for it.
//!
//! Keeps: a key is a number of ours, given in order. What comes from outside (a work key, the name
//! of a client) stays in a `HashMap` of the standard library.

use rustc_hash::FxHashMap;

/// A map by ids that we gave ourselves, in order.
pub type ById<I, V> = FxHashMap<I, V>;
