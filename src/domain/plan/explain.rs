//! A step in words: what it does, how it is reversed.

use super::{Action, Plan, Undo};
use crate::domain::object::ObjectRef;
use crate::domain::view::{PlanView, StepView};

/// Returns what the action does, in the imperative, without a full stop.
#[must_use]
pub fn action(action: &Action) -> String {
    match action {
        Action::RemoveJob { object, .. } => format!("remove finished {object}"),
        Action::HelmUpgrade { to_revision, .. } => format!("helm upgrade (revision {to_revision})"),
        Action::HelmInstall => "helm upgrade --install (revision 1)".to_owned(),
        Action::HelmRollback { from_revision, to_revision } => {
            format!("helm rollback to revision {to_revision} (as revision {})", from_revision + 1)
        }
        Action::Verify { timeout_secs } => {
            format!("verify that every object becomes current (at most {})", duration(*timeout_secs))
        }
    }
}

/// Returns how the step is reversed, in the imperative, without a full stop.
#[must_use]
pub fn undo(undo: &Undo) -> String {
    match undo {
        Undo::NotNeeded => "nothing to undo".to_owned(),
        Undo::HelmRollback { revision, remove_first, remove, keep, data_effects } => {
            let first = match remove_first.as_slice() {
                [] => String::new(),
                jobs => format!("remove the new {}, then ", some(jobs, 2)),
            };
            with_objects(format!("{first}helm rollback to revision {revision}"), remove, keep, data_effects)
        }
        Undo::HelmUninstall { remove, keep, data_effects } => {
            with_objects("helm uninstall".to_owned(), remove, keep, data_effects)
        }
        Undo::Leave { because } => format!("none: {because}"),
        Undo::Impossible { because } => format!("impossible: {because}"),
    }
}

fn with_objects(mut text: String, remove: &[ObjectRef], keep: &[ObjectRef], data_effects: &[ObjectRef]) -> String {
    for (verb, objects) in [("remove", remove), ("keep", keep), ("cannot bring back the data of", data_effects)] {
        if !objects.is_empty() {
            text = format!("{text}; {verb} {}", some(objects, 2));
        }
    }
    text
}

/// Returns the plan as it is shown before the user consents.
#[must_use]
pub fn view(plan: &Plan) -> PlanView {
    let steps = plan.steps.iter().map(|step| StepView {
        what: action(&step.action),
        because: step.because.clone(),
        undo: undo(&step.undo),
    });
    let point_of_no_return =
        plan.point_of_no_return.as_deref().and_then(|id| plan.step(id)).map(|step| action(&step.action));
    PlanView {
        title: format!("{} in namespace {}", plan.title, plan.namespace),
        steps: steps.collect(),
        point_of_no_return,
        changes: Vec::new(),
        warnings: plan.warnings.clone(),
        consent: Vec::new(),
    }
}

/// Returns at most `limit` names, then `and N more`.
#[must_use]
pub fn some(objects: &[ObjectRef], limit: usize) -> String {
    let names: Vec<String> = objects.iter().take(limit).map(ToString::to_string).collect();
    match objects.len().saturating_sub(limit) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn duration(secs: u64) -> String {
    if secs >= 60 && secs.is_multiple_of(60) { format!("{} min", secs / 60) } else { format!("{secs} s") }
}
