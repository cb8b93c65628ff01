//! The disk: run folders, the journal's file, everything 0600 in folders 0700.

mod journal_file;
mod run_folder;

pub use journal_file::JournalFile;
pub use run_folder::{KEPT_RUNS, RunFolder, runs_root, write_private};

use std::path::PathBuf;

use thiserror::Error;

/// A file or folder of a run could not be read or written.
#[derive(Debug, Error)]
#[error("cannot {verb} `{}`", path.display())]
pub struct DiskError {
    /// `create`, `write`, `read`, `remove`.
    pub verb: &'static str,
    /// Which.
    pub path: PathBuf,
    /// Why not.
    pub source: std::io::Error,
}

impl DiskError {
    /// Returns a closure for `map_err`.
    fn because(verb: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self { verb, path, source }
    }
}
