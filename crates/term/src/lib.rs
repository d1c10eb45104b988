//! What a terminal shows: progress, summary, errors.
