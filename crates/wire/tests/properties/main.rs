//! What holds for all frames: nothing panics, what is written reads the same, and bytes mean what
//! another implementation of RFC 6455 takes them for.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod bytes; // bytes to messages, however they are cut
mod frames; // texts to requests and replies
