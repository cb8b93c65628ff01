//! Preflight: named questions over [`Facts`], each a pure function. One file a check, in `checks/`.

use serde::{Deserialize, Serialize};

use super::facts::Facts;

pub mod checks;

/// A named question.
#[derive(Clone, Copy)]
pub struct Check {
    /// What users type to waive it.
    pub id: &'static str,
    /// The question.
    pub asks: &'static str,
    /// Answers it.
    pub run: fn(&Facts) -> Outcome,
}

/// The answer to a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// All is well; says what was seen, in a few words.
    Pass {
        /// Such as `revision 3 is deployed`.
        found: String,
    },
    /// The user should know; does not block.
    Warn {
        /// What was seen: object, field, cause.
        found: String,
        /// The one command or act that helps.
        fix: String,
    },
    /// Blocks until fixed or waived.
    Fail {
        /// What was seen: object, field, cause.
        found: String,
        /// The one command or act that helps.
        fix: String,
    },
    /// The question does not arise.
    Skip {
        /// Why not.
        because: String,
    },
    /// The check could not run: blocks like a failure until waived.
    CouldNotTell {
        /// The cause.
        because: String,
    },
}

/// A check with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the check.
    pub check: String,
    /// Its answer.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The reason the user gave for going on all the same; only where the outcome blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
}

impl Finding {
    /// Tells whether this stops the run.
    #[must_use]
    pub fn is_blocking(&self) -> bool {
        self.waived.is_none() && matches!(self.outcome, Outcome::Fail { .. } | Outcome::CouldNotTell { .. })
    }
}
