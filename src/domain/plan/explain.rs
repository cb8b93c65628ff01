//! A step in words: what it does, how it is reversed.

use super::{Action, Plan, Undo};
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::summary::Heading;
use crate::domain::rehearsed::{Rehearsed, wording};
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

/// Returns the plan as it is shown before the user consents: with what its rehearsal found, if there was one, and the flags that
/// must be given beyond `--yes` because of that.
#[must_use]
pub fn view(plan: &Plan, rehearsed: Option<&Rehearsed>) -> PlanView {
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
        changes: rehearsed.map(changes).unwrap_or_default(),
        rehearsal: rehearsed.cloned(),
        warnings: plan.warnings.clone(),
        consent: rehearsed.map(wording::consent).unwrap_or_default(),
    }
}

fn changes(rehearsed: &Rehearsed) -> Vec<String> {
    let but_unchanged = Heading::ALL.into_iter().filter(|heading| *heading != Heading::Unchanged);
    let told = |heading| rehearsed.under(heading).map(move |object| wording::object(heading, object));
    but_unchanged.flat_map(told).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{PLAN_FORMAT, Step};
    use serde_json::json;

    #[test]
    fn a_plan_shows_what_its_rehearsal_found() {
        let job = json!({"api_version": "batch/v1", "kind": "Job", "namespace": "shop", "name": "init"});
        let claim = json!({"api_version": "v1", "kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data"});
        let accepted = json!({"kind": "accepted"});
        let rehearsed: Rehearsed = serde_json::from_value(json!({
            "format": 1, "mode": "all", "end": {"exit_code": 0},
            "objects": [
                {"object": claim, "operation": "delete", "verdict": accepted},
                {"object": job, "operation": "replace", "verdict": accepted, "changes": [{"path": "spec.template.x"}]},
            ],
            "findings": [{"class": "data-loss", "object": claim, "cause": "the volume is given back",
                "remedy": {"kind": "person", "text": "back it up"}}],
        }))
        .expect("a rehearsal");
        let step = Step {
            id: "verify".into(),
            action: Action::Verify { timeout_secs: 60 },
            because: "why not".into(),
            undo: Undo::NotNeeded,
        };
        let plan = Plan {
            format: PLAN_FORMAT,
            release: "shop".into(),
            namespace: "shop".into(),
            newest_revision: Some(1),
            title: "shop 1 -> 2".into(),
            steps: vec![step],
            point_of_no_return: None,
            warnings: vec![],
            accepted: vec![],
            replay: None,
            before: vec![],
        };
        let shown = view(&plan, Some(&rehearsed));
        assert_eq!(
            shown.changes,
            ["replaced Job shop/init: spec.template.x", "deleted PersistentVolumeClaim shop/data"]
        );
        assert_eq!(
            shown.consent,
            ["`--delete persistentvolumeclaim/shop/data`: loss of data, the volume is given back"]
        );
        assert_eq!(shown.rehearsal, Some(rehearsed));
        let unrehearsed = view(&plan, None);
        assert!(unrehearsed.changes.is_empty() && unrehearsed.consent.is_empty() && unrehearsed.rehearsal.is_none());
    }
}
