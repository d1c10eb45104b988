//! The binary: joins the rooms.

fn main() {}
