//! What people read: identity, merging, and every report format. Pure.
