//! Why a use case ended without a report: the error, the exit code that it means, what helps.

use crate::domain::report::ExitStatus;
use crate::edge::cluster::{ClusterError, ErrorClass};

/// A use case that ended without a report. Nothing was changed, or the run's journal says what was.
#[derive(Debug)]
pub struct Failure {
    /// The documented exit code.
    pub exit: ExitStatus,
    /// What was being done, on what, and the causes below it.
    pub error: anyhow::Error,
    /// What helps, one command or sentence each.
    pub hints: Vec<String>,
}

impl Failure {
    /// Returns a failure before anything was changed.
    pub fn blocked(error: impl Into<anyhow::Error>) -> Self {
        Self::new(ExitStatus::Blocked, error)
    }

    /// Returns a failure with that exit code.
    pub fn new(exit: ExitStatus, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    /// Adds what helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Says what was being done.
    #[must_use]
    pub fn while_doing(mut self, what: impl std::fmt::Display + Send + Sync + 'static) -> Self {
        self.error = self.error.context(what);
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exits(mut self, exit: ExitStatus) -> Self {
        self.exit = exit;
        self
    }
}

/// Any other error is unexpected.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<ClusterError>() {
            Ok(error) => error.into(),
            Err(error) => Self::new(ExitStatus::Unexpected, error),
        }
    }
}

/// The cluster's refusals before a run begins; a run in progress sets the exit code itself.
impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        let exit = match error.class() {
            ErrorClass::Conflict => ExitStatus::Unexpected,
            _ => ExitStatus::Blocked,
        };
        let hint = error.remedy();
        let failure = Self::new(exit, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// A full disk, a read-only home: nothing can be journaled, so nothing is begun.
impl From<crate::edge::disk::DiskError> for Failure {
    fn from(error: crate::edge::disk::DiskError) -> Self {
        Self::blocked(error).hint("set XDG_STATE_HOME to a folder that can be written and has room")
    }
}
