//! Source text for reports: read when asked for, kept while it pays.

use assay_model::SourcePath;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Text that is kept. Findings come file by file, so a few files are enough; when it is full it
/// starts anew.
const CACHE_BYTES_MAX: usize = 16 << 20;

/// Texts that were read lately.
#[derive(Debug, Default)]
pub(crate) struct TextCache(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    texts: HashMap<SourcePath, Arc<str>>,
    bytes: usize,
}

// === impl TextCache ===

impl TextCache {
    /// Returns the text of `path`, reading it if it is not held.
    pub(crate) fn get(
        &self,
        path: &SourcePath,
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Arc<str>> {
        let mut held = self.0.lock().expect("nothing panics while the cache is held");
        if let Some(text) = held.texts.get(path) {
            return Some(Arc::clone(text));
        }
        let bytes = read()?;
        let text: Arc<str> = String::from_utf8_lossy(&bytes).into();
        if held.bytes + text.len() > CACHE_BYTES_MAX {
            *held = Held::default();
        }
        held.bytes += text.len();
        held.texts.insert(path.clone(), Arc::clone(&text));
        Some(text)
    }
}
