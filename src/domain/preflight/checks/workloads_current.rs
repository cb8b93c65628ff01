//! `workloads-current`: an upgrade from a broken state cannot be told from a broken upgrade.

use crate::domain::facts::{Facts, ObjectFacts};
use crate::domain::object::ObjectRef;
use crate::domain::preflight::{Check, Outcome, Waivable, wording};
use crate::domain::rollout::RolloutStatus;

/// So many objects are named.
const NAMED_AT_MOST: usize = 3;

pub(super) const CHECK: Check = Check {
    id: "workloads-current",
    asks: "Is every object of the current revision where its manifest wants it?",
    waivable: Waivable::Yes,
    run,
};

fn run(facts: &Facts) -> Outcome {
    if let Err(outcome) = super::base_revision(facts) {
        return outcome;
    }
    let mut behind: Vec<Behind<'_>> = facts.objects.iter().filter_map(behind).collect();
    behind.sort_by_key(|object| !object.has_failed);
    let Some(first) = behind.first() else {
        let read = wording::counted(super::count_read(facts), "object");
        return Outcome::pass(format!("read {read}, each that is there is current"));
    };
    let named: Vec<String> = behind.iter().map(|behind| format!("{}: {}", behind.object, behind.how)).collect();
    Outcome::warn(
        format!(
            "{} {} not current before the upgrade: {}. What is broken before cannot be told from what the upgrade breaks",
            wording::counted(behind.len(), "object"),
            wording::is_or_are(behind.len()),
            wording::list_of(&named, "; ", NAMED_AT_MOST)
        ),
        format!("bring it up first: `kubectl describe {}`", wording::kubectl_name(first.object)),
    )
}

struct Behind<'a> {
    object: &'a ObjectRef,
    has_failed: bool,
    how: String,
}

/// An object that is not there at all is for `live-objects` to tell.
fn behind(object: &ObjectFacts) -> Option<Behind<'_>> {
    let live = object.live.known()?.as_ref().filter(|_| object.role.in_current)?;
    let (has_failed, how) = match &live.rollout {
        RolloutStatus::Current => return None,
        RolloutStatus::Failed { because } => (true, format!("failed, {}", wording::quote(because))),
        RolloutStatus::InProgress { waiting_for } => (false, format!("waiting for {}", wording::quote(waiting_for))),
        RolloutStatus::Terminating => (false, "is being deleted".to_owned()),
        RolloutStatus::NotFound => (false, "not found".to_owned()),
    };
    Some(Behind { object: &object.object, has_failed, how })
}
