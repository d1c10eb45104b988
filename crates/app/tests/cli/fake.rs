//! Tools that do as told; testkit has them, since other test programs use them too.

pub(crate) use testkit::{FINDING, Fake};
