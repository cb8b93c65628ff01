//! Facts in, plan out. Order and reasons are decided here and nowhere else.

use super::{Action, ObjectBefore, PLAN_FORMAT, Plan, Step, Undo};
use crate::domain::facts::{Answer, Facts, ObjectFacts};
use crate::domain::object::ObjectRef;
use crate::domain::preflight::{Finding, Outcome};
use crate::domain::rehearsed::{self, Remedy};
use crate::domain::release::ReleaseStatus;
use crate::domain::rollout::RolloutStatus;

/// What the user asked for beyond chart and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOptions {
    /// The longest that `verify` may take, in seconds.
    pub verify_timeout_secs: u64,
}

/// Returns the plan of an upgrade, or of an install where the release does not exist and `--install` was given.
///
/// The findings of preflight must not block; their warnings are carried into the plan. Those of the rehearsal that have a remedy
/// become steps before Helm's.
#[must_use]
pub fn upgrade(facts: &Facts, findings: &[Finding], rehearsal: &[rehearsed::Finding], options: &PlanOptions) -> Plan {
    let history = facts.history.known().map_or(&[][..], Vec::as_slice);
    let newest = history.last();
    let current = history.iter().rev().find(|revision| revision.status == ReleaseStatus::Deployed);
    let chart = &facts.chart.metadata;
    let cures = cures(rehearsal);
    let mut created = Created::by(facts);
    created.remove_first = cures.iter().filter_map(|cure| cure.action.removes()).cloned().collect();
    let (title, helm) = match (newest, current) {
        (Some(newest), Some(current)) => (
            upgrade_title(&facts.release, &current.chart.version, &chart.version),
            Step {
                id: "helm-upgrade".to_owned(),
                action: Action::HelmUpgrade { from_revision: current.revision, to_revision: newest.revision + 1 },
                because: upgrade_reason(&current.chart.version, &chart.version),
                undo: created.into_rollback(current.revision),
            },
        ),
        _ => (
            format!("install {} {}", facts.release, chart.version),
            Step {
                id: "helm-install".to_owned(),
                action: Action::HelmInstall,
                because: format!("release {} does not exist in namespace {}", facts.release, facts.namespace),
                undo: created.into_uninstall(),
            },
        ),
    };
    let verify = Step {
        id: "verify".to_owned(),
        action: Action::Verify { timeout_secs: options.verify_timeout_secs },
        because: "Helm ends before the pods run; only a current release is a finished upgrade".to_owned(),
        undo: Undo::NotNeeded,
    };
    let mut warnings = warnings(findings);
    warnings.extend(rehearsal.iter().filter(|finding| !finding.class.blocks()).map(ToString::to_string));
    finish(facts, title, cures.into_iter().chain([helm, verify]).collect(), warnings)
}

/// Returns a step for each finding that one can cure.
fn cures(rehearsal: &[rehearsed::Finding]) -> Vec<Step> {
    let steps = rehearsal.iter().filter_map(|finding| match &finding.remedy {
        Remedy::RemoveFinishedJob { uid } => Some(Step {
            // Named once in the whole cluster.
            id: format!("remove-job-{}", finding.object.full_name()),
            action: Action::RemoveJob { object: finding.object.clone(), uid: uid.clone() },
            because: match finding.fields.first() {
                Some(field) => format!("{}: {}", field.path, finding.cause),
                None => finding.cause.clone(),
            },
            undo: Undo::Leave {
                because: "it had finished; where Helm was begun, its rollback makes it anew, and it runs again"
                    .to_owned(),
            },
        }),
        Remedy::Person { .. } => None,
    });
    let mut cures: Vec<Step> = Vec::new();
    for step in steps {
        // One Job may have more than one field that cannot be changed.
        if cures.iter().all(|cure| cure.id != step.id) {
            cures.push(step);
        }
    }
    cures
}

/// Returns the plan of going back to revision `to_revision`.
///
/// Nothing if that revision is not in the history: preflight says so to the user.
#[must_use]
pub fn rollback(facts: &Facts, to_revision: u32, options: &PlanOptions) -> Option<Plan> {
    let history = facts.history.known()?;
    let newest = history.last()?;
    let target = history.iter().find(|revision| revision.revision == to_revision)?;
    let undo = match newest.status {
        ReleaseStatus::Deployed => Created::by(facts).into_rollback(newest.revision),
        status => {
            Undo::Impossible { because: format!("revision {} is {status}, no state to return to", newest.revision) }
        }
    };
    let helm = Step {
        id: "helm-rollback".to_owned(),
        action: Action::HelmRollback { from_revision: newest.revision, to_revision },
        because: format!(
            "revision {} is {}; revision {to_revision} ({} {}) was asked for",
            newest.revision, newest.status, target.chart.name, target.chart.version
        ),
        undo,
    };
    let verify = Step {
        id: "verify".to_owned(),
        action: Action::Verify { timeout_secs: options.verify_timeout_secs },
        because: "a rollback is done when every object of the revision is current".to_owned(),
        undo: Undo::NotNeeded,
    };
    let warnings = vec![
        "Helm brings back objects, not data: what migrations and Jobs wrote to databases and volumes stays.".to_owned(),
    ];
    let title = format!("roll {} back from revision {} to {to_revision}", facts.release, newest.revision);
    Some(finish(facts, title, vec![helm, verify], warnings))
}

fn finish(facts: &Facts, title: String, steps: Vec<Step>, warnings: Vec<String>) -> Plan {
    let point_of_no_return =
        steps.iter().find(|step| matches!(step.undo, Undo::Impossible { .. })).map(|step| step.id.clone());
    Plan {
        format: PLAN_FORMAT,
        release: facts.release.clone(),
        namespace: facts.namespace.clone(),
        newest_revision: facts.history.known().and_then(|history| history.last()).map(|newest| newest.revision),
        title,
        steps,
        point_of_no_return,
        warnings,
        accepted: Vec::new(),
        replay: None,
        following: None,
        before: facts.objects.iter().filter_map(before).collect(),
    }
}

/// An object whose state could not be read is left out: preflight blocks on it, and a waiver accepts not comparing it.
fn before(facts: &ObjectFacts) -> Option<ObjectBefore> {
    match &facts.live {
        Answer::Known(live) => Some(ObjectBefore {
            object: facts.object.clone(),
            is_owned: facts.role.in_current || facts.role.in_target,
            is_hook: facts.role.current_hook || facts.role.target_hook.is_some(),
            digest: live.as_ref().map(|live| live.digest.clone()),
            uid: live.as_ref().map(|live| live.uid.clone()),
            ailing: live.as_ref().and_then(|live| ailing(&live.rollout)),
        }),
        Answer::CouldNotTell { .. } => None,
    }
}

fn ailing(rollout: &RolloutStatus) -> Option<String> {
    match rollout {
        RolloutStatus::Current => None,
        RolloutStatus::InProgress { waiting_for } => Some(waiting_for.clone()),
        RolloutStatus::Failed { because } => Some(because.clone()),
        RolloutStatus::Terminating => Some("it is being deleted".to_owned()),
        RolloutStatus::NotFound => Some("it is not there".to_owned()),
    }
}

fn upgrade_title(release: &str, from: &str, to: &str) -> String {
    if from == to { format!("{release} {to} with new values") } else { format!("{release} {from} -> {to}") }
}

fn upgrade_reason(from: &str, to: &str) -> String {
    if from == to {
        format!("chart {to} is installed already; its values or templates may differ")
    } else {
        format!("chart {to} was asked for and {from} is installed")
    }
}

fn warnings(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .filter_map(|finding| match (&finding.outcome, &finding.waived) {
            (Outcome::Warn { found, .. }, _) => Some(format!("{}: {found}", finding.check)),
            (Outcome::Fail { found, .. } | Outcome::CouldNotTell { because: found }, Some(reason)) => {
                Some(format!("{}: waived ({reason}): {found}", finding.check))
            }
            _ => None,
        })
        .collect()
}

/// What Helm may create, sorted by what an undo does with it.
struct Created {
    remove_first: Vec<ObjectRef>,
    remove: Vec<ObjectRef>,
    keep: Vec<ObjectRef>,
    data_effects: Vec<ObjectRef>,
}

impl Created {
    fn by(facts: &Facts) -> Self {
        let absent = |object: &&ObjectFacts| matches!(object.live, Answer::Known(None));
        let names = |pick: &dyn Fn(&&ObjectFacts) -> bool| -> Vec<ObjectRef> {
            facts.objects.iter().filter(|object| pick(object)).map(|object| object.object.clone()).collect()
        };
        let runs_hooks = facts.helm.runs_hooks;
        Self {
            remove_first: Vec::new(),
            remove: names(&|object| runs_hooks && object.role.target_hook.is_some() && absent(object)),
            keep: names(&|object| object.role.in_target && object.role.target_keeps && absent(object)),
            data_effects: names(&|object| match &object.role.target_hook {
                Some(hook) => runs_hooks && hook.may_change_data,
                None => object.role.in_target && object.role.target_runs_code,
            }),
        }
    }

    fn into_rollback(self, revision: u32) -> Undo {
        let Self { remove_first, remove, keep, data_effects } = self;
        Undo::HelmRollback { revision, remove_first, remove, keep, data_effects }
    }

    fn into_uninstall(self) -> Undo {
        Undo::HelmUninstall { remove: self.remove, keep: self.keep, data_effects: self.data_effects }
    }
}
