//! The layers of a cage, and what is said of them.

use std::fmt;

/// One thing that holds a tool, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Nothing that it started outlives it.
    Processes,
    /// It sees no file but those that it needs.
    Files,
    Network,
    /// No message queue or shared memory of others.
    Ipc,
    /// It has no rights over anything outside.
    Rights,
    Landlock,
    Seccomp,
    /// Memory, processes, processor time, sizes of files.
    Limits,
    Environment,
}

/// Whether a layer is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerState {
    InForce { layer: Layer, how: String },
    Missing { layer: Layer, why: String },
}

// === impl Layer ===

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Processes => "processes",
            Self::Files => "files",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Rights => "rights",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Limits => "limits",
            Self::Environment => "environment",
        })
    }
}

// === impl LayerState ===

impl LayerState {
    pub(super) fn in_force(layer: Layer, how: impl Into<String>) -> Self {
        Self::InForce { layer, how: how.into() }
    }

    pub(super) fn missing(layer: Layer, why: impl Into<String>) -> Self {
        Self::Missing { layer, why: why.into() }
    }
}
