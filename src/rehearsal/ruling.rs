//! What a check says that stands in for one which a dry run leaves out.

use crate::domain::rehearsed::Finding;

/// Whether what a write asks for can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It can.
    Fits,
    /// It cannot; never empty.
    Findings(Vec<Finding>),
    /// Nobody can tell before it really happens.
    Unpredictable {
        /// Why not, in one line.
        because: String,
    },
}
