//! The progress of work that may take several invocations.

/// Whether work is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// All of it is done.
    Done,
    /// The time of the invocation ran out. Another one continues.
    Unfinished,
}
