//! The checks, one file each, and their registry. A check looks at facts alone: every object, field and cause that it names
//! was read before.

use super::{Check, Outcome, revisions};
use crate::domain::facts::{Answer, Facts, RevisionFacts, TargetFacts};

mod chart_matches;
mod foreign_objects;
mod gitops_owner;
mod helm_version;
mod kube_version;
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

/// Every check, as they run before an upgrade, in the order in which they run and are shown: who may touch the release, what it is, whether the upgrade can
/// be made, what it would hit.
pub const ALL: &[Check] = &[
    release_exists::CHECK,
    run_lock::CHECK,
    unfinished_run::CHECK,
    release_status::CHECK,
    chart_matches::CHECK,
    not_downgrade::CHECK,
    helm_version::CHECK,
    kube_version::CHECK,
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

/// The checks before a rollback, in the same order: who may touch the release, and what it would hit. Helm renders nothing
/// then, and the state that the release is in is the very reason to leave it.
pub const ROLLBACK: &[Check] = &[
    release_exists::CHECK,
    run_lock::CHECK,
    unfinished_run::CHECK,
    helm_version::CHECK,
    rights::CHECK,
    live_objects::CHECK,
    foreign_objects::CHECK,
    gitops_owner::CHECK,
];

/// Id of the check that says whether another run holds the release.
pub(super) const RUN_LOCK_ID: &str = run_lock::CHECK.id;

/// Returns the revision that the upgrade starts from; else the outcome of every check that asks about it.
fn base_revision(facts: &Facts) -> Result<&RevisionFacts, Outcome> {
    let Answer::Known(history) = &facts.history else {
        return Err(Outcome::could_not_tell("the history of the release could not be read: see `release-exists`"));
    };
    revisions::base(history).ok_or_else(|| Outcome::skip("there is no release yet"))
}

/// Returns what Helm's dry run made; else the outcome of every check that asks about it.
fn rendered_target(facts: &Facts) -> Result<&TargetFacts, Outcome> {
    facts.target.known().ok_or_else(|| Outcome::could_not_tell("the new manifests are not known: see `renders`"))
}

/// Returns how many objects were looked at; `live-objects` names the others.
fn count_read(facts: &Facts) -> usize {
    facts.objects.iter().filter(|object| object.live.known().is_some()).count()
}
