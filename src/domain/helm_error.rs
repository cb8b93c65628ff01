//! Helm's walls of text, explained.

use super::report::Problem;

/// Returns what went wrong.
pub fn explain(stderr: &str) -> Vec<Problem> {
    let _ = stderr;
    Vec::new()
}
