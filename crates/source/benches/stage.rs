//! Question: how long does a large app wait before the first tool sees it, and how long does a tool
//! wait that must not see all of it?
//! Expected: seconds for 100,000 files; far less than a tool needs for them.
//!
//! `cargo bench -p assay-source --bench stage [-- FOLDER…]`. Without a folder: 100,000 files of
//! 300 bytes in 1,000 folders. Files are in the page cache; the median of five rounds is told.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

use assay_model::SourcePath;
use assay_source::{Change, Options, take};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let work = tempfile::tempdir()?;
    let mut apps: Vec<PathBuf> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).map(PathBuf::from).collect();
    if apps.is_empty() {
        apps.push(many_files(&work.path().join("app"))?);
    }
    for app in apps {
        println!("{}", app.display());
        measure(&app, work.path())?;
    }
    Ok(())
}

fn many_files(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    for folder in 0..1_000 {
        let folder = root.join(format!("part{}/sub{folder}", folder % 20));
        fs::create_dir_all(&folder)?;
        for file in 0..100 {
            let text = format!("def f{file}(x):\n    return x + {file}\n").repeat(8);
            fs::write(folder.join(format!("module_{file}.py")), text)?;
        }
    }
    Ok(root.to_owned())
}

fn measure(app: &Path, work: &Path) -> Result<(), Box<dyn Error>> {
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        let into = work.join("copy");
        fs::create_dir(&into)?;
        let begun = Instant::now();
        let snapshot = take(app, &into, Options::default(), &|| false)?;
        times[0].push(begun.elapsed());
        let hidden = SourcePath::new("not-there")?;
        let changes = BTreeMap::from([(hidden, Change::Hidden)]);
        let begun = Instant::now();
        let stage = snapshot.stage(&work.join("stage"), &changes)?;
        times[1].push(begun.elapsed());
        let begun = Instant::now();
        drop(stage);
        times[2].push(begun.elapsed());
        let info = snapshot.info().clone();
        let begun = Instant::now();
        drop(snapshot);
        times[3].push(begun.elapsed());
        if times[0].len() == ROUNDS {
            println!("  {} files, {} bytes", info.files, info.bytes);
        }
    }
    for (name, times) in ["copied", "staged", "stage removed", "copy removed"].iter().zip(times) {
        println!("  {name:14} {:6.2} s", median(times).as_secs_f64());
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
