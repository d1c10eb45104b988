//! Serves testkit's advisories until its standard input closes. Prints its port on one line.
//!
//! `pip-audit -s osv --osv-url http://127.0.0.1:PORT/v1/query`,
//! `npm audit --registry http://127.0.0.1:PORT`.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let advisories = testkit::Advisories::start()?;
    writeln!(io::stdout(), "{}", advisories.port())?;
    io::stdout().flush()?;
    // Whoever started it holds the other end, so it never outlives its test.
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}
