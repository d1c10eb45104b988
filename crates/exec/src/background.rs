//! A server of our own in the background: the one program that is to outlive us.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io,
    process::{Child, Command, ExitStatus, Stdio},
};

/// How a server begins in the background.
#[derive(Debug)]
pub struct Begin {
    /// The words after our own name.
    pub args: Vec<OsString>,
    /// Variables beside our own.
    pub variables: Vec<(OsString, OsString)>,
    /// Where its standard error goes. It has no other streams.
    pub errors: File,
}

/// A server that was begun. Dropping this leaves it alone.
#[derive(Debug)]
pub struct Begun(Child);

// === impl Begin ===

impl Begin {
    /// Starts this very program again.
    ///
    /// # Errors
    ///
    /// Where the program cannot be found or started.
    pub fn start(self) -> io::Result<Begun> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args(self.args)
            .envs(self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.errors);
        command.spawn().map(Begun)
    }
}

// === impl Begun ===

impl Begun {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    ///
    /// Where the system does not know it.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}
