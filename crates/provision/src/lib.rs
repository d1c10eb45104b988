//! How a tool gets here: pinned, hash-locked, atomic.
//!
//! One way in: a [`Recipe`] given to [`Provisioner::ensure`] becomes an [`Installation`]. Nothing
//! of the user's own Python or Node is touched; all lies in one cache folder:
//!
//! | folder | holds |
//! |---|---|
//! | `tools/NAME-VERSION-DIGEST` | one finished installation each |
//! | `uv/VERSION-HASH` | the installer of Python packages |
//! | `uv-cache`, `npm-cache` | what the installers downloaded |
//! | `hosts` | what was learnt about interpreters |
//! | `locks`, `tmp` | who installs what just now, and where |

#![forbid(unsafe_code)]

mod error; // every way in which a tool cannot be had, and its mend
mod fetch; // one file over HTTP, checked
mod folder; // locks, scratch folders and finished installations
mod host; // which interpreters this machine has
mod index; // where the user gets Python packages from
mod node; // npm packages
mod program; // one installer or interpreter, run to its end
mod provisioner; // the way in
mod python; // Python packages
mod recipe; // what is wanted, and what is there afterwards
mod uv; // the installer of Python packages, itself installed

pub use error::ProvisionError;
pub use folder::Kept;
pub use provisioner::{Provisioner, Pruned};
pub use recipe::{ByteCode, Installation, Phase, Recipe, Settings};
