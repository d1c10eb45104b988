//! What is analysed: discovery, languages, the snapshot and its digest.
