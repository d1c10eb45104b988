//! Code that tells that it was run: it leaves a witness wherever it can write, and calls a port.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// How every witness is called at the beginning.
pub(crate) const WITNESS: &str = "assay-witness";

/// What stands in every file outside of the app that the app tries to have read.
pub(crate) const SECRET: &str = "q7outsideZ9secretK3";

/// A port that nobody has a reason to call.
pub(crate) struct Port {
    pub(crate) number: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

/// Makes code, each piece with a witness of its own.
pub(crate) struct Payload {
    /// A folder that exists, and where everybody may write.
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
}

// === impl Port ===

impl Port {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        // It ends with the process of the test.
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                caller.set_read_timeout(Some(Duration::from_secs(1))).ok();
                let mut words = Vec::new();
                caller.take(200).read_to_end(&mut words).ok();
                log.lock().unwrap().push(String::from_utf8_lossy(&words).into_owned());
            }
        });
        Self { number, heard }
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

// === impl Payload ===

impl Payload {
    pub(crate) fn witness(&self, of: &str) -> String {
        let of = of.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        format!("{WITNESS}-{}-{of}", self.port)
    }

    /// A module of Python that no linter has a word about but those that look for such code.
    pub(crate) fn python(&self, of: &str) -> String {
        format!(
            r#"import os
import socket


def _leave():
    folders = ["/tmp", os.environ.get("HOME", "/"), os.environ.get("TMPDIR", "/"), os.getcwd(), "{dir}"]
    for folder in folders:
        try:
            with open(os.path.join(folder, "{name}"), "w", encoding="utf-8") as file:
                file.write("run")
        except OSError:
            pass
    try:
        with socket.create_connection(("127.0.0.1", {port}), 2) as call:
            call.sendall(b"{name}")
    except OSError:
        pass


_leave()
"#,
            dir = self.dir.display(),
            name = self.witness(of),
            port = self.port
        )
    }

    /// The same as one line, for a value of a configuration file; free of quotes but `'`.
    pub(crate) fn python_line(&self, of: &str) -> String {
        let code: Vec<String> = self.python(of).bytes().map(|byte| byte.to_string()).collect();
        format!("exec(bytes([{}]).decode())", code.join(","))
    }

    /// A script for Node, as a module of either kind.
    pub(crate) fn node(&self, of: &str) -> String {
        format!(
            r#"import("node:fs").then((fs) => {{
  for (const folder of ["/tmp", process.env.HOME, process.env.TMPDIR, process.cwd(), "{dir}"]) {{
    try {{
      fs.writeFileSync(`${{folder}}/{name}`, "run");
    }} catch {{
      continue;
    }}
  }}
}});
import("node:net").then((net) => {{
  const call = net.connect({port}, "127.0.0.1", () => call.end("{name}"));
  call.on("error", () => call.destroy());
}});
"#,
            dir = self.dir.display(),
            name = self.witness(of),
            port = self.port
        )
    }

    /// A program for the shell.
    pub(crate) fn shell(&self, of: &str) -> String {
        format!("#!/bin/bash\n{}\n", self.shell_line(of))
    }

    pub(crate) fn shell_line(&self, of: &str) -> String {
        let name = self.witness(of);
        format!(
            "for f in /tmp \"$HOME\" \"$TMPDIR\" . \"{dir}\"; do touch \"$f/{name}\"; done; \
             echo {name} >/dev/tcp/127.0.0.1/{port}",
            dir = self.dir.display(),
            port = self.port
        )
    }

    pub(crate) fn url(&self, of: &str) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, self.witness(of))
    }

    /// Finds witnesses of this payload in `/tmp`, where they were asked to be, and below `around`.
    pub(crate) fn witnesses(&self, around: &Path) -> BTreeSet<String> {
        let mark = self.witness("");
        let mut found = BTreeSet::new();
        let mut open = vec![(PathBuf::from("/tmp"), false), (around.to_owned(), true)];
        while let Some((folder, is_deep)) = open.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with(&mark) {
                    found.insert(entry.path().display().to_string());
                }
                if is_deep && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push((entry.path(), true));
                }
            }
        }
        found
    }

    /// Removes what was left in `/tmp`.
    pub(crate) fn forget(&self) {
        for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&self.witness("")) {
                fs::remove_file(entry.path()).ok();
            }
        }
    }
}
