//! The checks, one file each, and their registry. A check looks at facts alone: every object, field and cause that it names
//! was read before.

use super::{Check, Outcome, revisions};
use crate::domain::facts::{Answer, Facts, ObjectFacts, RevisionFacts, TargetFacts};

mod chart_matches;
mod foreign_objects;
mod gitops_owner;
mod helm_version;
mod live_objects;
mod not_downgrade;
mod record_size;
mod release_exists;
mod release_status;
mod renders;
mod rights;
mod risky_flags;
mod run_lock;
mod unfinished_run;
mod values_kept;
mod workloads_current;

/// Every check, in the order in which they run and are shown: who may touch the release, what it is, whether the upgrade can
/// be made, what it would hit.
pub const ALL: &[Check] = &[
    release_exists::CHECK,
    run_lock::CHECK,
    unfinished_run::CHECK,
    release_status::CHECK,
    chart_matches::CHECK,
    not_downgrade::CHECK,
    helm_version::CHECK,
    rights::CHECK,
    renders::CHECK,
    record_size::CHECK,
    values_kept::CHECK,
    live_objects::CHECK,
    foreign_objects::CHECK,
    gitops_owner::CHECK,
    workloads_current::CHECK,
    risky_flags::CHECK,
];

/// Id of the check that says whether another run holds the release.
pub(super) const RUN_LOCK_ID: &str = run_lock::CHECK.id;

/// Returns the revision that the upgrade starts from; else the outcome of every check that asks about it.
fn base_revision(facts: &Facts) -> Result<&RevisionFacts, Outcome> {
    let Answer::Known(history) = &facts.history else {
        return Err(Outcome::could_not_tell("the history of the release could not be read: see `release-exists`"));
    };
    revisions::base(history).ok_or_else(|| Outcome::skip("the release does not exist yet"))
}

/// Returns what Helm's dry run made; else the outcome of every check that asks about it.
fn rendered_target(facts: &Facts) -> Result<&TargetFacts, Outcome> {
    facts.target.known().ok_or_else(|| Outcome::could_not_tell("the new manifests are not known: see `renders`"))
}

/// Tells whether Helm applies the object as a part of the release: hooks are none.
fn is_part_of_the_release(object: &ObjectFacts) -> bool {
    object.role.in_current || object.role.in_target
}
