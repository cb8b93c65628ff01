//! A step in words: what it does, how it is reversed.

use super::{Action, Plan, Step, Undo};
use crate::domain::object::ObjectRef;
use crate::domain::post_rendering::RuleNotes;
use crate::domain::rehearsed::summary::Heading;
use crate::domain::rehearsed::{Rehearsed, wording};
use crate::domain::view::{PlanView, StepView};
use crate::domain::wording::{counted, is_or_are, some};

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
            let again = match remove_first.len() {
                0 => "",
                1 => ", which makes the old one anew: it runs again",
                _ => ", which makes the old ones anew: they run again",
            };
            with_objects(format!("{first}helm rollback to revision {revision}{again}"), remove, keep, data_effects)
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

/// Returns how far the steps can be undone, in one line without a full stop.
#[must_use]
pub fn way_back(steps: &[Step]) -> String {
    let left = steps.iter().filter(|step| matches!(step.undo, Undo::Leave { .. } | Undo::Impossible { .. })).count();
    let effects: usize = steps.iter().map(|step| data_effects(&step.undo).len()).sum();
    let not_undone = (left > 0).then(|| format!("{left} {} not undone", is_or_are(left)));
    let not_brought_back = match effects {
        0 => None,
        1 => Some("the data of 1 hook or Job is not brought back".to_owned()),
        count => Some(format!("the data of {count} hooks and Jobs is not brought back")),
    };
    let lacks: Vec<String> = [not_undone, not_brought_back].into_iter().flatten().collect();
    let said = if lacks.is_empty() { "each can be undone".to_owned() } else { lacks.join(", ") };
    if steps.is_empty() { "nothing to do".to_owned() } else { format!("{}; {said}", counted(steps.len(), "step")) }
}

fn data_effects(undo: &Undo) -> &[ObjectRef] {
    match undo {
        Undo::HelmRollback { data_effects, .. } | Undo::HelmUninstall { data_effects, .. } => data_effects,
        Undo::NotNeeded | Undo::Leave { .. } | Undo::Impossible { .. } => &[],
    }
}

/// Returns the plan as it is shown before the user consents: with what its rehearsal found, if there was one, and the flags that
/// were given beyond `--yes` because of that.
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
        way_back: way_back(&plan.steps),
        point_of_no_return,
        changes: rehearsed.map(changes).unwrap_or_default(),
        rehearsal: rehearsed.cloned(),
        rules: plan
            .following
            .as_ref()
            .map(|following| following.notes.rules.iter().map(rule).collect())
            .unwrap_or_default(),
        warnings: plan.warnings.clone(),
        consent: rehearsed.map(|rehearsed| wording::consent(&rehearsed.findings)).unwrap_or_default(),
    }
}

/// Returns what a rule changes, in one line.
#[must_use]
pub fn rule(notes: &RuleNotes) -> String {
    let such_as = if notes.count > 1 { ", such as" } else { ":" };
    let first = notes.first.first().map(|(object, what)| format!("{such_as} {object}: {what}")).unwrap_or_default();
    format!("{}: {} ({}){first}", notes.rule, counted(notes.count, "change"), notes.because)
}

fn changes(rehearsed: &Rehearsed) -> Vec<String> {
    let but_unchanged = Heading::ALL.into_iter().filter(|heading| *heading != Heading::Unchanged);
    let told = |heading| rehearsed.under(heading).map(move |object| wording::object(heading, object));
    but_unchanged.flat_map(told).collect()
}

fn duration(secs: u64) -> String {
    if secs >= 60 && secs.is_multiple_of(60) { format!("{} min", secs / 60) } else { format!("{secs} s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::PLAN_FORMAT;
    use serde_json::json;

    #[test]
    fn the_way_back_is_promised_only_as_far_as_it_goes() {
        let job = |name: &str| ObjectRef {
            api_version: "batch/v1".into(),
            kind: "Job".into(),
            namespace: Some("shop".into()),
            name: name.into(),
        };
        let step = |undo: Undo| Step {
            id: "a".into(),
            action: Action::Verify { timeout_secs: 60 },
            because: "why not".into(),
            undo,
        };
        let rollback = |data_effects: Vec<ObjectRef>| {
            step(Undo::HelmRollback { revision: 1, remove_first: vec![], remove: vec![], keep: vec![], data_effects })
        };
        let leave = || step(Undo::Leave { because: "it had finished".into() });
        let told = |steps: &[Step]| way_back(steps);
        assert_eq!(told(&[]), "nothing to do");
        assert_eq!(told(&[rollback(vec![]), step(Undo::NotNeeded)]), "2 steps; each can be undone");
        assert_eq!(told(&[leave()]), "1 step; 1 is not undone");
        let effects = vec![job("a"), job("b")];
        assert_eq!(
            told(&[leave(), leave(), rollback(effects)]),
            "3 steps; 2 are not undone, the data of 2 hooks and Jobs is not brought back"
        );
        assert_eq!(told(&[rollback(vec![job("a")])]), "1 step; the data of 1 hook or Job is not brought back");
    }

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
            following: None,
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
