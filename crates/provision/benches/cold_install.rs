//! Question: how long does a new user wait for all tools, and every later start for none?
//! Expected: the slower of npm and the largest Python tool; a millisecond.
//!
//! `cargo bench -p assay-provision`. Downloads everything anew, about 200 MB.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

use assay_exec::{Cage, Shim};
use assay_provision::{Phase, Provisioner, Recipe, Settings};
use std::{error::Error, fs, path::Path, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let locks = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/locks"));
    let cache = testkit::tempdir()?;
    let uv_lock = fs::read_to_string(locks.join("uv-wheels.toml"))?;
    let recipes = recipes(locks)?;
    for round in ["cold", "warm"] {
        let mut settings = Settings::new(cache.path().to_owned(), uv_lock.clone());
        settings.cage = Cage::bare(Shim::at(testkit::shim()));
        let provisioner = Arc::new(Provisioner::new(settings)?);
        let begun = Instant::now();
        let all: Vec<_> = recipes
            .iter()
            .cloned()
            .map(|recipe| tokio::spawn(one(Arc::clone(&provisioner), recipe)))
            .collect();
        for one in all {
            let (name, waited, took) = one.await??;
            if round == "cold" {
                eprintln!("{name:16} turn after {waited:6} ms, then {took:6} ms");
            }
        }
        eprintln!("{round}: {} targets in {:?}", recipes.len(), begun.elapsed());
    }
    Ok(())
}

/// Installs one and says how long it waited for its turn and how long it then took.
async fn one(
    provisioner: Arc<Provisioner>,
    recipe: Recipe,
) -> Result<(String, u128, u128), Failed> {
    let begun = Instant::now();
    let turn = std::sync::Mutex::new(begun);
    let hear = |phase| {
        if phase == Phase::Installing
            && let Ok(mut turn) = turn.lock()
        {
            *turn = Instant::now();
        }
    };
    provisioner.ensure(&recipe, &hear, &CancellationToken::new()).await?;
    let turn = *turn.lock().map_err(|_| "a phase was not heard")?;
    let name = recipe.name().to_owned();
    Ok((name, (turn - begun).as_millis(), turn.elapsed().as_millis()))
}

fn recipes(locks: &Path) -> Result<Vec<Recipe>, Failed> {
    let mut all = vec![Recipe::Node {
        package_json: fs::read_to_string(locks.join("npm/package.json"))?,
        package_lock: fs::read_to_string(locks.join("npm/package-lock.json"))?,
    }];
    for entry in fs::read_dir(locks.join("python"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let lock = fs::read_to_string(&path)?;
            all.push(Recipe::Python { name, version: "pinned".to_owned(), lock });
        }
    }
    Ok(all)
}
