//! A plan in a file: written by `plan --out`, held to by `upgrade --plan`.

use std::path::Path;

use anyhow::Context as _;

use super::failure::Failure;
use super::inputs::Inputs;
use super::prepare::Prepared;
use super::rendering;
use super::session::Session;
use crate::domain::content;
use crate::domain::facts::Facts;
use crate::domain::helm_flags::FlagUse;
use crate::domain::object::ObjectRef;
use crate::domain::plan::saved::{
    Binding, ClusterMark, NewestRevision, RenderedObject, SAVED_PLAN_FORMAT, SavedObject, SavedPlan, SavedState,
};
use crate::domain::post_rendering::{BLOB_FILE, Replay};
use crate::domain::random::{self, RandomField};
use crate::domain::release::Release;
use crate::domain::report::ExitStatus;
use crate::edge::disk::{self, RunFolder};

/// Reads a saved plan.
///
/// # Errors
/// Exit 2 if there is none, 20 for one that this version cannot run.
pub fn read(path: &Path) -> Result<SavedPlan, Failure> {
    let doing = || format!("read the plan in `{}`", path.display());
    let text = std::fs::read(path).with_context(doing).map_err(|error| Failure::new(ExitStatus::Usage, error))?;
    SavedPlan::read(&text).map_err(|error| {
        Failure::blocked(error).while_doing(doing()).hint("plan again: `helm csghub plan ... --out FILE`")
    })
}

/// Writes the plan that was made to a file, mode 0600.
///
/// # Errors
/// There is no plan, or the file cannot be written.
pub async fn write(session: &Session, inputs: &Inputs, prepared: &Prepared, path: &Path) -> Result<(), Failure> {
    let (Some(plan), Some(rehearsed)) = (&prepared.plan, &prepared.rehearsed) else {
        return Err(Failure::blocked(anyhow::anyhow!("there is no plan to save")));
    };
    let saved = SavedPlan {
        format: SAVED_PLAN_FORMAT,
        made_at: prepared.facts.gathered_at.clone(),
        run_id: prepared.run_id.clone(),
        bound: bind(session, inputs, &prepared.facts).await,
        objects: prepared.facts.objects.iter().filter_map(saved_object).collect(),
        random: prepared.random.clone(),
        rendered: rendered(prepared.target.as_ref(), &prepared.random)?,
        plan: plan.clone(),
        rehearsal: rehearsed.clone(),
    };
    let text = serde_json::to_vec_pretty(&saved).map_err(anyhow::Error::from)?;
    disk::write_private(path, &text).map_err(|error| Failure::blocked(error).while_doing("save the plan"))?;
    session.note(format!(
        "the plan is in {0}: `helm csghub upgrade {1} {2} --plan {0}` with the same flags runs it",
        path.display(),
        inputs.args.release,
        inputs.args.chart
    ));
    Ok(())
}

fn saved_object(facts: &crate::domain::facts::ObjectFacts) -> Option<SavedObject> {
    let live = facts.live.known()?;
    Some(SavedObject { object: facts.object.clone(), state: live.as_ref().map(SavedState::from) })
}

fn rendered(target: Option<&Release>, random: &[RandomField]) -> Result<Vec<RenderedObject>, Failure> {
    let Some(target) = target else { return Ok(Vec::new()) };
    let rendered = random::of_release(target).map_err(Failure::blocked)?;
    let digests = random::digests(&rendered, random);
    Ok(digests.into_iter().map(|(object, digest)| RenderedObject { object, digest }).collect())
}

async fn bind(session: &Session, inputs: &Inputs, facts: &Facts) -> Binding {
    let mut settings: Vec<&FlagUse> = inputs.args.settings().collect();
    // Stable: where a flag is given twice, their order counts.
    settings.sort_by(|one, other| one.long.cmp(&other.long));
    let words: Vec<&str> = settings.iter().flat_map(|flag| &flag.words).map(String::as_str).collect();
    let mut flags: Vec<String> = settings.iter().map(|flag| format!("--{}", flag.long)).collect();
    flags.dedup();
    let newest = facts.history.known().and_then(|history| history.last());
    Binding {
        release: facts.release.clone(),
        namespace: facts.namespace.clone(),
        cluster: mark(session).await,
        helm: facts.helm.version.clone(),
        newest: newest.map(|newest| NewestRevision {
            revision: newest.revision,
            resource_version: newest.resource_version.clone(),
        }),
        chart: format!("{} {}", facts.chart.metadata.name, facts.chart.metadata.version),
        chart_digest: facts.chart.digest.clone(),
        values_digest: facts.target.known().map(|target| target.values_digest.clone()),
        flags,
        flags_digest: content::sha256(&content::canonical_json(&words.into())),
        rules_digest: rules_digest(inputs),
    }
}

fn rules_digest(inputs: &Inputs) -> Option<String> {
    let rules = serde_json::to_value(&inputs.rules).ok().filter(|_| !inputs.rules.is_empty())?;
    Some(content::sha256(&content::canonical_json(&rules)))
}

async fn mark(session: &Session) -> ClusterMark {
    let system = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: "kube-system".to_owned(),
    };
    // Who may only work in one namespace may not read it; the certificates tell then.
    let found = session.cluster.read_object(&system).await.ok().flatten();
    ClusterMark {
        server: session.cluster.endpoint().url.clone(),
        uid: found.and_then(|namespace| namespace.uid().map(str::to_owned)),
        authority: session.cluster.authority_digest().map(str::to_owned),
    }
}

/// Refuses a plan that was made for something else.
///
/// # Errors
/// Exit 20 names all that is otherwise.
pub async fn hold_to(session: &Session, inputs: &Inputs, facts: &Facts, saved: &SavedPlan) -> Result<(), Failure> {
    let mismatches = saved.mismatches(&bind(session, inputs, facts).await);
    if mismatches.is_empty() {
        return Ok(());
    }
    let error = anyhow::anyhow!("{}", mismatches.join("; "));
    Err(Failure::blocked(error)
        .while_doing(format!("the saved plan of {} cannot be run: nothing was changed", saved.made_at))
        .hint("plan again with `--out`, or upgrade without `--plan`"))
}

/// Returns the rehearsed manifests of the saved plan, copied into the folder of this run; nothing if there are none. Says so where they
/// are not on this machine.
///
/// # Errors
/// The folder cannot be written.
pub fn reviewed(session: &Session, folder: &RunFolder, saved: &SavedPlan) -> Result<Option<Replay>, Failure> {
    let Some(replay) = &saved.plan.replay else { return Ok(None) };
    let before = RunFolder::at(&session.runs_root.join(&saved.run_id));
    if !rendering::is_kept(&before, replay) {
        session.note(
            "the rehearsed manifests of the saved plan are not on this machine: what is random in them is drawn anew",
        );
        return Ok(None);
    }
    let bytes = before.read(BLOB_FILE)?.unwrap_or_default();
    folder.write(BLOB_FILE, &bytes)?;
    // Its secrets become known to the masker.
    rendering::kept(session, folder, replay.random.clone()).map(Some)
}

/// Looks what has moved since the plan was saved; it becomes a part of what is shown and asked.
///
/// # Errors
/// A manifest that was rendered is none.
pub fn look_for_drift(prepared: &mut Prepared, saved: &SavedPlan) -> Result<(), Failure> {
    let Some(plan) = &mut prepared.plan else { return Ok(()) };
    let rendered = rendered(prepared.target.as_ref(), &saved.random)?;
    prepared.drift = saved.drift(&prepared.facts.objects, &rendered, plan);
    plan.warnings.extend(prepared.drift.iter().map(|drift| format!("since the plan was saved: {drift}")));
    Ok(())
}
