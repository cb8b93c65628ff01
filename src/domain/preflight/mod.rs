//! Preflight: named questions over [`Facts`], each a pure function. One file a check, in `checks/`.
//!
//! A fact that could not be read blocks in the check that needs it. Of the objects that could not be read, `live-objects`
//! speaks for all the others, which look at what was read: one cause, one waiver.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::rehearsed::Class;

pub mod checks;
pub mod revisions;
pub mod waiver;
mod wording;

pub use checks::{ALL, ROLLBACK};
pub use waiver::{Waiver, WaiverError};

/// Id of the warning that [`run_all`] adds if a waiver was not needed. It is no check: nobody can waive it.
pub const UNUSED_WAIVER: &str = "unused-waiver";

/// A named question.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What users type to waive it.
    pub id: &'static str,
    /// The question.
    pub asks: &'static str,
    /// Whether a user may go on although it blocks.
    pub waivable: Waivable,
    /// Answers it.
    pub run: fn(&Facts) -> Outcome,
}

/// Whether a user may go on although a check blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waivable {
    /// With a reason, which is recorded.
    Yes,
    /// Whatever the reason.
    Never {
        /// Completes the sentence "it cannot be waived because ...".
        because: &'static str,
    },
}

/// The answer to a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

impl Outcome {
    /// Tells whether this stops the run unless it is waived.
    #[must_use]
    pub fn is_blocking(&self) -> bool {
        matches!(self, Self::Fail { .. } | Self::CouldNotTell { .. })
    }

    fn pass(found: impl AsRef<str>) -> Self {
        Self::Pass { found: wording::on_one_line(found.as_ref()) }
    }

    fn warn(found: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        Self::Warn { found: wording::on_one_line(found.as_ref()), fix: wording::on_one_line(fix.as_ref()) }
    }

    fn fail(found: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        Self::Fail { found: wording::on_one_line(found.as_ref()), fix: wording::on_one_line(fix.as_ref()) }
    }

    fn skip(because: impl AsRef<str>) -> Self {
        Self::Skip { because: wording::on_one_line(because.as_ref()) }
    }

    fn could_not_tell(because: impl AsRef<str>) -> Self {
        Self::CouldNotTell { because: wording::on_one_line(because.as_ref()) }
    }
}

/// A check with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
        self.waived.is_none() && self.outcome.is_blocking()
    }
}

/// Returns the answers of every check, in the order of [`ALL`]; a last one, [`UNUSED_WAIVER`], if a waiver was not needed.
///
/// # Errors
/// [`WaiverError`] if a waiver names no check, or one that can never be waived, or gives no reason, or comes twice.
pub fn run_all(facts: &Facts, waivers: &[Waiver]) -> Result<Vec<Finding>, WaiverError> {
    run(ALL, facts, waivers)
}

/// Returns the answers of the checks before a rollback, in the order of [`ROLLBACK`]; otherwise as [`run_all`]. The target
/// of the facts is then the revision to go back to.
///
/// # Errors
/// As [`run_all`]. A waiver of a check that is only for upgrades is no error, but unused.
pub fn run_rollback(facts: &Facts, waivers: &[Waiver]) -> Result<Vec<Finding>, WaiverError> {
    run(ROLLBACK, facts, waivers)
}

fn run(checks: &[Check], facts: &Facts, waivers: &[Waiver]) -> Result<Vec<Finding>, WaiverError> {
    waiver::ensure_valid(waivers)?;
    let mut findings: Vec<Finding> = checks
        .iter()
        .map(|check| {
            let outcome = (check.run)(facts);
            let waived = waivers
                .iter()
                .find(|waiver| outcome.is_blocking() && waiver.check == check.id)
                .map(|waiver| waiver.reason.clone());
            Finding { check: check.id.to_owned(), outcome, waived }
        })
        .collect();
    if let Some(outcome) = explain_unused(waivers, &findings) {
        findings.push(Finding { check: UNUSED_WAIVER.to_owned(), outcome, waived: None });
    }
    Ok(findings)
}

/// Tells whether another run holds the release: the caller then ends with exit code 60.
///
/// False if that could not be told: the run is blocked, but nobody is known to hold the release.
#[must_use]
pub fn is_locked(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.check == checks::RUN_LOCK_ID && matches!(finding.outcome, Outcome::Fail { .. }))
}

/// Tells whether anything stops the run.
#[must_use]
pub fn is_blocked(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::is_blocking)
}

fn explain_unused(waivers: &[Waiver], findings: &[Finding]) -> Option<Outcome> {
    let used: BTreeSet<&str> =
        findings.iter().filter(|finding| finding.waived.is_some()).map(|finding| finding.check.as_str()).collect();
    // Whether one of a rehearsal's class is needed shows when it was rehearsed.
    let is_unused = |check: &&str| !used.contains(check) && Class::of_waiver_id(check).is_none();
    let unused: Vec<&str> = waivers.iter().map(|waiver| waiver.check.as_str()).filter(is_unused).collect();
    if unused.is_empty() {
        return None;
    }
    let quoted: Vec<String> = unused.iter().map(|check| format!("`{check}`")).collect();
    Some(Outcome::warn(
        format!("waived, but nothing there blocks: {}", wording::list(&quoted, ", ")),
        "leave the waiver out: a standing one hides the next failure",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: &str, outcome: Outcome) -> Finding {
        Finding { check: check.into(), outcome, waived: None }
    }

    #[test]
    fn a_release_is_locked_only_by_a_run_that_is_known_to_hold_it() {
        assert!(is_locked(&[finding("run-lock", Outcome::fail("held", "wait"))]));
        assert!(!is_locked(&[finding("run-lock", Outcome::could_not_tell("no right"))]));
        assert!(!is_locked(&[finding("unfinished-run", Outcome::fail("left over", "resume"))]));
    }

    #[test]
    fn a_waived_finding_does_not_stop_the_run() {
        let mut waived = finding("rights", Outcome::could_not_tell("no access review"));
        assert!(is_blocked(std::slice::from_ref(&waived)));
        waived.waived = Some("checked by hand".into());
        assert!(!is_blocked(&[waived]));
    }
}
