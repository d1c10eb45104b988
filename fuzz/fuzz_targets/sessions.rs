//! Any bytes as what clients of a gateway and of a service do, under paused time: no panic; each request
//! has one end; what is answered at once is answered at once; nothing is above its bound, and nothing
//! is left when all have gone. The body is that of the test `sessions` of the server.
#![no_main]

#[path = "../../crates/server/tests/sessions/analyzer.rs"]
mod analyzer;
#[path = "../../crates/server/tests/sessions/drive.rs"]
mod drive;
#[path = "../../crates/server/tests/sessions/peer.rs"]
mod peer;
#[path = "../../crates/server/tests/sessions/script.rs"]
mod script;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    drive::drive(bytes);
});
