//! What was open when the process before this one ended.

/// What becomes of work that was accepted and had not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// It is done anew, unless its deadline has passed.
    #[default]
    Restart,
    /// It is ended as lost.
    Lose,
}
