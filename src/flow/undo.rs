//! Reverses one step, as the plan decided: never more than what the plan named.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::execute::Undone;
use super::gather::{self, Revision};
use super::helm_step;
use super::probe;
use super::run::Run;
use super::verify;
use crate::domain::content;
use crate::domain::event::Stage;
use crate::domain::object::{Object, ObjectRef};
use crate::domain::plan::{Plan, Step, Undo};
use crate::domain::release::{Release, ReleaseStatus};
use crate::domain::report::{Fate, LeftBehind};
use crate::edge::cluster::{Deleted, Gone, Propagation};

/// How long the objects of the old revision may take to become current again.
const SETTLE_PATIENCE: Duration = Duration::from_mins(10);

/// How long an object that the undo deletes may take to go.
const DELETE_PATIENCE: Duration = Duration::from_mins(1);

/// Reverses `step`.
///
/// # Errors
/// The way back failed: a person is needed. What had been reversed stays reversed, and trying again is safe.
pub(super) async fn undo(run: &mut Run<'_>, step: &Step, plan: &Plan) -> anyhow::Result<Undone> {
    match &step.undo {
        Undo::NotNeeded => Ok(Undone { note: "nothing to undo".to_owned(), ..Undone::default() }),
        Undo::Leave { because } => Ok(leave(run, step, because).await),
        Undo::Impossible { because } => bail!("step {} cannot be undone: {because}", step.id),
        Undo::HelmRollback { revision, remove_first, remove, keep, data_effects } => {
            let traces = Traces { remove_first, remove, keep, data_effects };
            helm_rollback(run, step, plan, *revision, &traces).await
        }
        Undo::HelmUninstall { remove, keep, data_effects } => {
            let traces = Traces { remove_first: &[], remove, keep, data_effects };
            helm_uninstall(run, step, plan, &traces).await
        }
    }
}

/// A step that is left as it is: what it removed is named if it is not there again.
async fn leave(run: &Run<'_>, step: &Step, because: &str) -> Undone {
    let mut undone = Undone { note: format!("left as it is: {because}"), ..Undone::default() };
    let removed: Vec<ObjectRef> = step.action.removes().cloned().into_iter().collect();
    for (object, live) in run.session.cluster.read_objects(&removed).await {
        match live {
            Ok(Some(_)) => {}
            Ok(None) => {
                let because = "removed by the plan before Helm, as it had finished; nothing made it anew".to_owned();
                undone.left_behind.push(LeftBehind { object, fate: Fate::Removed, because });
            }
            Err(error) => undone.to_do.push(format!("whether {object} is there again could not be read: {error}")),
        }
    }
    undone
}

/// What a failed revision leaves beside the objects that Helm brings back.
struct Traces<'a> {
    remove_first: &'a [ObjectRef],
    remove: &'a [ObjectRef],
    keep: &'a [ObjectRef],
    data_effects: &'a [ObjectRef],
}

async fn helm_rollback(
    run: &mut Run<'_>,
    step: &Step,
    plan: &Plan,
    revision: u32,
    traces: &Traces<'_>,
) -> anyhow::Result<Undone> {
    let session = run.session;
    let clock = session.stage(Stage::Undo, format!("bring {} back to revision {revision}", plan.release));
    probe::wait_for_orphan(run).await?;
    let history = read_history(run, plan).await?;
    let newest = history.last().context("Helm has no record of the release any more")?;
    if plan.newest_revision == Some(newest.release.revision) && newest.release.info.status == ReleaseStatus::Deployed {
        clock.finish("Helm had changed nothing");
        return Ok(Undone { note: "Helm had changed nothing".to_owned(), ..Undone::default() });
    }
    let ran = data_effects(run, plan, &history, revision, traces).await;
    if !is_rolled_back(&newest.release, revision) {
        remove_first(run, plan, traces.remove_first).await?;
        clock.progress(format!("helm rollback to revision {revision}"));
        helm_step::run_rollback(run, step, plan, revision).await?;
    }
    let mut undone = Undone::default();
    clock.progress("remove what Helm leaves behind");
    remove_traces(run, traces, &mut undone).await?;
    clock.progress("wait for the old objects");
    if let Err(trouble) = verify::settle(run, plan, &clock, SETTLE_PATIENCE).await {
        undone.to_do.push(format!("revision {revision} is deployed again, but {trouble}"));
    }
    let (compared, differences) = compare(run, plan).await;
    undone.to_do.extend(differences);
    undone.to_do.extend(data_not_restored(&ran));
    undone.note = format!("revision {revision} is deployed again, {compared} objects compared");
    clock.finish(undone.note.clone());
    Ok(undone)
}

async fn helm_uninstall(run: &mut Run<'_>, step: &Step, plan: &Plan, traces: &Traces<'_>) -> anyhow::Result<Undone> {
    let session = run.session;
    let clock = session.stage(Stage::Undo, format!("remove {} again", plan.release));
    probe::wait_for_orphan(run).await?;
    let history = read_history(run, plan).await?;
    let mut undone = Undone::default();
    if !history.is_empty() {
        let ran = data_effects(run, plan, &history, 0, traces).await;
        helm_step::run_uninstall(run, step, plan).await?;
        undone.to_do.extend(data_not_restored(&ran));
    }
    remove_traces(run, traces, &mut undone).await?;
    undone.note = format!("{} is removed", plan.release);
    clock.finish(undone.note.clone());
    Ok(undone)
}

/// One sentence that names every hook and Job that ran; nothing if none did.
fn data_not_restored(ran: &[ObjectRef]) -> Option<String> {
    (!ran.is_empty()).then(|| {
        let names: Vec<String> = ran.iter().map(ToString::to_string).collect();
        let (they, them) = if ran.len() == 1 { ("it", "it") } else { ("they", "them") };
        format!(
            "what {} wrote to data is not brought back: {they} ran, and nobody declared {them} harmless",
            names.join(", ")
        )
    })
}

async fn read_history(run: &Run<'_>, plan: &Plan) -> anyhow::Result<Vec<Revision>> {
    gather::read_history(run.session, &plan.release).await.map_err(|failure| failure.error)
}

/// Tells whether the rollback to that revision was done before: a resumed run does not repeat it.
///
/// Source: Helm `pkg/action/rollback.go` writes the description `Rollback to <revision>`.
fn is_rolled_back(newest: &Release, revision: u32) -> bool {
    newest.info.status == ReleaseStatus::Deployed && newest.info.description == format!("Rollback to {revision}")
}

/// Returns the hooks and Jobs of the plan that really ran: by Helm's own record of its hooks, by the Jobs that are there
/// now and were not before.
async fn data_effects(
    run: &Run<'_>,
    plan: &Plan,
    history: &[Revision],
    revision: u32,
    traces: &Traces<'_>,
) -> Vec<ObjectRef> {
    let later = history.iter().map(|entry| &entry.release).filter(|release| release.revision > revision);
    let ran: BTreeSet<(String, String)> = later
        .flat_map(|release| &release.hooks)
        .filter(|hook| hook.last_run.has_started())
        .map(|hook| (hook.kind.clone(), hook.name.clone()))
        .collect();
    let live = run.session.cluster.read_objects(traces.data_effects).await;
    let mut effects = Vec::new();
    for (object, live) in live {
        let before = plan.before.iter().find(|before| before.object.is_same_object(&object));
        let uid_before = before.and_then(|before| before.uid.as_deref());
        let is_new = match &live {
            Ok(Some(live)) => live.uid() != uid_before,
            // One that the plan removed is made anew by the way back, and runs then, if it did not run already.
            Ok(None) => traces.remove_first.iter().any(|removed| removed.is_same_object(&object)),
            // Whether it ran cannot be told, so it is named.
            Err(_) => true,
        };
        if is_new || ran.contains(&(object.kind.clone(), object.name.clone())) {
            effects.push(object);
        }
    }
    effects
}

/// Removes the Jobs that the failed revision made anew: Helm could not change their templates back.
async fn remove_first(run: &Run<'_>, plan: &Plan, jobs: &[ObjectRef]) -> anyhow::Result<()> {
    let cluster = &run.session.cluster;
    for (object, live) in cluster.read_objects(jobs).await {
        let live = live.with_context(|| format!("read {object}, which the failed revision made anew"))?;
        let before = plan.before.iter().find(|before| before.object.is_same_object(&object));
        let uid_before = before.and_then(|before| before.uid.as_deref());
        // The old one is still there if Helm did not come so far.
        let Some(uid) = live.as_ref().and_then(Object::uid).filter(|uid| Some(*uid) != uid_before) else { continue };
        cluster
            .delete_object(&object, uid, Propagation::Background)
            .await
            .with_context(|| format!("remove {object}"))?;
        if let Gone::StillThere { finalizers, .. } = cluster.wait_for_gone(&object, uid, DELETE_PATIENCE).await? {
            bail!("{object} is being deleted and still there ({})", finalizers.join(", "));
        }
    }
    Ok(())
}

/// Removes the hook objects that were not there before, and names what stays by policy.
async fn remove_traces(run: &Run<'_>, traces: &Traces<'_>, undone: &mut Undone) -> anyhow::Result<()> {
    let cluster = &run.session.cluster;
    for (object, live) in cluster.read_objects(traces.remove).await {
        let Some(live) = live.with_context(|| format!("read {object}, which the failed revision brought"))? else {
            continue;
        };
        if !live.is_hook() {
            undone
                .to_do
                .push(format!("{object} exists and is no hook: it was left alone; was it made by somebody else?"));
            continue;
        }
        let uid = live.uid().unwrap_or_default();
        match cluster
            .delete_object(&object, uid, Propagation::Background)
            .await
            .with_context(|| format!("remove {object}"))?
        {
            Deleted::Deleted => {
                let gone = cluster.wait_for_gone(&object, uid, DELETE_PATIENCE).await;
                if let Gone::StillThere { finalizers, .. } = gone.with_context(|| format!("remove {object}"))? {
                    undone.to_do.push(format!("{object} is being deleted and still there ({})", finalizers.join(", ")));
                }
                let because = "made by hooks of the failed revision; Helm leaves such objects behind".to_owned();
                undone.left_behind.push(LeftBehind { object, fate: Fate::Removed, because });
            }
            Deleted::AlreadyGone => {}
            Deleted::AnotherNow => {
                undone.to_do.push(format!("{object} was made anew while the undo ran: it was left alone"));
            }
        }
    }
    for (object, live) in cluster.read_objects(traces.keep).await {
        if let Ok(Some(_)) = live {
            let because = "new since the upgrade, kept by policy (`helm.sh/resource-policy`)".to_owned();
            undone.left_behind.push(LeftBehind { object, fate: Fate::Kept, because });
        }
    }
    Ok(())
}

/// Compares every object that was there before with what is there now; returns how many, and a sentence for each that differs.
///
/// Hook objects are left out: Helm makes and removes them at every operation.
async fn compare(run: &Run<'_>, plan: &Plan) -> (usize, Vec<String>) {
    let before: Vec<_> = plan.before.iter().filter(|before| before.digest.is_some() && !before.is_hook).collect();
    let objects: Vec<ObjectRef> = before.iter().map(|before| before.object.clone()).collect();
    let live = run.session.cluster.read_objects(&objects).await;
    let mut differences = Vec::new();
    for (before, (object, live)) in before.iter().zip(live) {
        match live {
            Ok(Some(live)) if before.digest.as_deref() == Some(content::digest(&live).as_str()) => {}
            Ok(Some(_)) => differences.push(format!("{object} is not as it was before the upgrade")),
            Ok(None) if may_be_gone(&object) => {}
            Ok(None) => differences.push(format!("{object} is gone")),
            Err(error) => differences.push(format!("{object} could not be compared: {error}")),
        }
    }
    (objects.len(), differences)
}

/// A finished Job may go by its TTL at any time.
fn may_be_gone(object: &ObjectRef) -> bool {
    (object.group(), object.kind.as_str()) == ("batch", "Job")
}
