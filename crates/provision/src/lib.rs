//! How a tool gets here: pinned, hash-locked, atomic.
