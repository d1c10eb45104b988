//! What is remembered: task folders, written atomically, listed and read back.
